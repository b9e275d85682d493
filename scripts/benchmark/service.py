"""A build of the service on a seeded store, and how much it is asked."""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import secrets
import time
from pathlib import Path

from .cells import FIRST_USER, SEED_MICROS, TASKS_PER_USER, USERS, id_prefix
from .processes import Failed, cpu_seconds, run
from .program import Program, ask, bearer

REQUESTS = Path(__file__).resolve().parent.parent / "bench.lua"

THREADS, CONNECTIONS = 2, 100


class Service(Program):
    """A build of the service with a seeded store of its own."""

    def __init__(self, binary, store, folder, way):
        self.secret = secrets.token_hex(32)
        variables = {"DATABASE_URL": store.url, "JWT_SECRET": self.secret, **way.settings}
        super().__init__(binary, folder, variables)
        self.store, self.way = store, way
        self.title = ", ".join(filter(None, (self.binary, way.name)))
        self.tokens = folder / f"{store.name}.tokens"

    def start(self):
        tokens = [token(self.secret, str(FIRST_USER + user)) for user in range(USERS)]
        self.tokens.write_text("\n".join(tokens) + "\n")
        self.first_token = tokens[0]
        self.store.create()
        self.run("migrate", "up")
        self.store.seed()
        self.serve()

    def try_once(self, cell):
        with contextlib.closing(self.client()) as client:
            status, answer = ask(client, *cell.request, headers=bearer(self.first_token))
        if status != cell.status:
            raise Failed(f"{cell.name}: {status} instead of {cell.status}: {answer}")

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

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
