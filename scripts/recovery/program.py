"""The tested program: runs its commands, measures them, and serves."""

import contextlib
import http.client
import os
import subprocess
import time
from dataclasses import dataclass

from benchmark.processes import Failed, free_port, measured

# The longest time from the start of the service to its first answer.
TIMEOUT_SECONDS = 30


@dataclass
class CommandResult:
    """The output and the resource usage of a command."""

    output: str
    seconds: float
    # The memory of its largest process, including pg_dump and pg_restore but not the server.
    memory_mb: float


class Program:
    """A build of taskhold with its settings, in a folder without other settings."""

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
        return CommandResult(output.strip(), seconds, memory)

    def serve(self):
        """Starts the service and waits until it is ready."""
        self.process = subprocess.Popen(
            [self.binary, "serve"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.get("/health/ready")[0] == 200:
                    return
            time.sleep(0.02)
        raise Failed(f"{self.binary} does not serve")

    def get(self, path, token=None):
        """Sends a GET request and returns the status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def kill(self):
        """Kills the service, like a failing machine."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
