"""A build of the service on a seeded store, and its load from wrk."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import re
import secrets
import time
from pathlib import Path

from .cells import FIRST_USER, SEED_MICROS, id_prefix
from .log import cursor
from .processes import Failed, cpu_seconds, run
from .program import TIMEOUT_SECONDS, Program, send, bearer

REQUESTS = Path(__file__).resolve().parent.parent / "bench.lua"

# Store calls that are running or waiting.
IN_FLIGHT = re.compile(
    r'^taskhold_store_(?:connections\{state="in_use"\}|calls_waiting) (\S+)$', re.MULTILINE)


class Service(Program):
    """The service with its own seeded store."""

    def __init__(self, binary, store, folder, variant, smoke):
        self.secret = secrets.token_hex(32)
        variables = {"DATABASE_URL": store.url, "JWT_SECRET": self.secret, **variant.settings}
        super().__init__(binary, folder, variables)
        self.store, self.variant = store, variant
        # Whether every status is checked, and requests are delayed.
        self.smoke = smoke
        self.title = ", ".join(filter(None, (self.binary, variant.name)))
        self.tokens = folder / f"{store.name}.tokens"

    def start(self, times):
        """Creates the store and starts the service `times` times. Returns the seconds of each start."""
        # The last token belongs to the user with the long list.
        data = self.store.data
        clients = [(token(self.secret, str(user)), cursor(user, data.tasks_of(user)))
                   for user in range(FIRST_USER, data.lister + 1)]
        self.tokens.write_text("".join(f"{token} {cursor}\n" for token, cursor in clients))
        self.first_client, self.lister_client = clients[0], clients[-1]
        self.store.create()
        self.run("migrate", "up")
        self.store.seed()
        taken = []
        for _ in range(times):
            self.stop()
            taken.append(self.serve())
        return taken

    def try_once(self, cell):
        token, cursor = self.lister_client if cell.by_lister else self.first_client
        method, path, body = cell.request
        with contextlib.closing(self.client()) as client:
            status, answer = send(client, method, path.format(cursor=cursor), body, bearer(token))
        if status != cell.status:
            raise Failed(f"{cell.name}: {status} instead of {cell.status}: {answer}")
        if cell.answered is not None and len(json.loads(answer)[cell.answered_as]) != cell.answered:
            raise Failed(f"{cell.name}: not {cell.answered} tasks: {answer[:200]}")

    def wait_until_idle(self):
        """Waits until no store call is running, which could change the data after a reset."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException), \
                    contextlib.closing(self.client()) as client:
                status, metrics = send(client, "GET", "/metrics")
                if status == 200 and not any(map(float, IN_FLIGHT.findall(metrics))):
                    return
            time.sleep(0.01)
        raise Failed(f"{self.binary} has exited, or does not become idle")

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def wrk(self, cell, seconds):
        data, threads = self.store.data, min(2, cell.connections)
        statuses = ",".join(map(str, (cell.status, *cell.also)))
        output = run([
            "wrk", "-t", threads, "-c", cell.connections, "-d", f"{seconds}s", "--timeout", "10s",
            "-s", REQUESTS, f"http://127.0.0.1:{self.port}",
            "--", cell.name, self.tokens, data.tasks_per_user, data.kept(cell), id_prefix(SEED_MICROS),
            threads, *([statuses] if self.smoke else []),
        ])
        result = re.search(r"^result (.*)$", output, re.MULTILINE)
        if not result:
            raise Failed(f"wrk printed an unexpected report: {output}")
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", result[1])}


def token(secret, user):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + 86_400}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encode(signature)).decode()
