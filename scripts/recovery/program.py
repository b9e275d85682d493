"""The program under drill: its commands, measured, and its service."""

import contextlib
import http.client
import os
import subprocess
import time
from dataclasses import dataclass

from benchmark.processes import Failed, free_port, measured

# How long the service may take to answer after it was started.
PATIENCE_SECONDS = 30


@dataclass
class Done:
    """What a command said and used."""

    output: str
    seconds: float
    # Of the largest of its processes; pg_dump and pg_restore are among them, the server is not.
    memory_mb: float


class Program:
    """A build of taskhold with its settings, in a folder without any others."""

    def __init__(self, binary, folder, url, secret):
        self.binary, self.folder = binary, folder
        self.backups = folder / "backups"
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": url,
            "JWT_SECRET": secret,
            "PORT": str(self.port),
            "TASKHOLD__BACKUP__FOLDER": str(self.backups),
        }
        self.process = None

    def run(self, *arguments):
        output, seconds, memory = measured([self.binary, *arguments], self.folder / "used",
                                           cwd=self.folder, env=self.environment)
        return Done(output.strip(), seconds, memory)

    def serve(self):
        """Starts the service and waits for its first answer."""
        self.process = subprocess.Popen(
            [self.binary, "serve"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.ask("/health/ready")[0] == 200:
                    return
            time.sleep(0.02)
        raise Failed(f"{self.binary} does not serve")

    def ask(self, path, token=None):
        """The status of an answer, and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def kill(self):
        """Ends the service as a failing machine does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
