"""A build of the service, and how it is asked."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import subprocess
import time
from pathlib import Path

from .cells import FIRST_USER, SEED_MICROS, TASKS_PER_USER, USERS, id_prefix
from .processes import Failed, cpu_seconds, free_port, run

REQUESTS = Path(__file__).resolve().parent.parent / "bench.lua"

THREADS, CONNECTIONS = 2, 100


class Service:
    """A build of the service with a seeded store of its own."""

    def __init__(self, binary, store, folder, way):
        self.binary, self.store, self.folder, self.way = binary, store, folder, way
        self.title = ", ".join(filter(None, (str(binary), way.name)))
        self.port = free_port()
        self.process = None
        self.tokens = folder / f"{store.name}.tokens"

    def start(self):
        secret = secrets.token_hex(32)
        tokens = [token(secret, str(FIRST_USER + user)) for user in range(USERS)]
        self.tokens.write_text("\n".join(tokens) + "\n")
        self.first_token = tokens[0]

        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.store.url,
            "JWT_SECRET": secret,
            "PORT": str(self.port),
            **self.way.settings,
        }
        # A folder without any settings.
        options = {"cwd": self.folder, "env": environment}
        self.store.create()
        run([self.binary, "migrate", "up"], **options)
        self.store.seed()
        # It logs every request, but to nowhere: a file would share the disk with the database.
        self.process = subprocess.Popen(
            [str(self.binary), "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, **options,
        )
        for _ in range(100):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if self.ask("GET", "/health/ready")[0] == 200:
                    return
            time.sleep(0.1)
        raise Failed(f"{self.binary} does not serve")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.first_token}"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def try_once(self, cell):
        status, body = self.ask(*cell.request)
        if status != cell.status:
            raise Failed(f"{cell.name}: {status} instead of {cell.status}: {body}")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def wrk(self, cell, seconds):
        output = run([
            "wrk", "-t", THREADS, "-c", CONNECTIONS, "-d", f"{seconds}s", "--timeout", "10s",
            "-s", REQUESTS, f"http://127.0.0.1:{self.port}",
            "--", cell.name, self.tokens, TASKS_PER_USER, id_prefix(SEED_MICROS),
        ])
        result = re.search(r"^result (.*)$", output, re.MULTILINE)
        if not result:
            raise Failed(f"wrk said something else than usual: {output}")
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", result[1])}


def token(secret, user):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + 86_400}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encode(signature)).decode()
