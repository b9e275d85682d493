"""A build of the service: starts and stops it, and sends requests."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time
from pathlib import Path

from .processes import Failed, free_port, run

# The longest time until the service is ready, and the interval of the checks.
TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.001


class Program:
    """Runs the program in a folder without settings, with a minimal environment."""

    def __init__(self, binary, folder, variables):
        self.binary, self.folder, self.port, self.process = str(binary), folder, None, None
        self.environment = {"PATH": os.environ["PATH"], **variables}

    def run(self, *arguments):
        return run([self.binary, *arguments], cwd=self.folder, env=self.environment)

    def serve(self):
        """Starts the service and waits until it is ready. Returns the seconds until then."""
        self.port = free_port()
        started = time.monotonic()
        # The log is discarded: a file would share the disk with the database.
        self.process = subprocess.Popen(
            [self.binary, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, cwd=self.folder,
            env={**self.environment, "PORT": str(self.port)},
        )
        while self.process.poll() is None and time.monotonic() < started + TIMEOUT_SECONDS:
            with contextlib.suppress(OSError, http.client.HTTPException), \
                    contextlib.closing(self.client()) as client:
                if send(client, "GET", "/health/ready")[0] == 200:
                    return time.monotonic() - started
            time.sleep(POLL_SECONDS)
        raise Failed(f"{self.binary} does not serve")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def client(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def memory_mb(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def send(client, method, path, body=None, headers=None):
    """Sends a request and returns the status and the text of its answer."""
    headers = dict(headers or {})
    if body is not None:
        headers["Content-Type"] = "application/json"
        if not isinstance(body, str):
            body = json.dumps(body)
    client.request(method, path, body, headers)
    answer = client.getresponse()
    return answer.status, answer.read().decode()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
