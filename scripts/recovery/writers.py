"""Clients that write through the service, and remember what was acknowledged."""

import http.client
import itertools
import json
import multiprocessing
import threading
import time
from collections import namedtuple

from benchmark.cells import FIRST_USER
from benchmark.processes import Failed
from benchmark.service import token

from .stores import seeded_id

# What a task is called since `at`; None where it was deleted.
Write = namedtuple("Write", "at id title")


class Writers:
    """Threads of a process of their own: they create tasks, rename them, and delete seeded ones."""

    def __init__(self, count, program, secret, size):
        self.count, self.port, self.secret, self.size = count, program.port, secret, size
        self.over = multiprocessing.Event()
        self.result, self.sender = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self._all, daemon=True)

    def start(self):
        self.process.start()
        return self

    def stop(self):
        """What was acknowledged, in the order of the acknowledgements."""
        self.over.set()
        writes, failures = self.result.recv()
        self.process.join()
        if failures:
            raise Failed(f"{len(failures)} writers failed, one of them with: {failures[0]}")
        return sorted(Write(*write) for write in writes)

    def _all(self):
        writes, failures = [], []
        threads = [threading.Thread(target=self._one, args=[client, writes, failures])
                   for client in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sender.send((writes, failures))

    def _one(self, client, writes, failures):
        try:
            for write in self._written(client):
                writes.append(write)
                if self.over.is_set():
                    return
        except (OSError, http.client.HTTPException, Failed) as problem:
            failures.append(f"{type(problem).__name__}: {problem}")

    def _written(self, client):
        """One write after the other; each client has users of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        users = range(client, self.size.users, self.count)
        tokens = {user: token(self.secret, str(FIRST_USER + user)) for user in users}
        for number in itertools.count():
            user = users[number % len(users)]
            title = f"client {client} wrote {number}"

            def ask(*request):
                return send(connection, tokens[user], *request)

            task = ask(201, "POST", "/api/v1/tasks", {"title": title})["task"]["id"]
            yield time.time(), task, title
            if number % 4 == 0:
                title = f"{title}, and again"
                ask(200, "PUT", f"/api/v1/tasks/{task}", {"title": title})
                yield time.time(), task, title
            # As long as there are seeded ones left of that user.
            turn = number // len(users)
            if number % 8 == 0 and turn < self.size.tasks_per_user:
                task = seeded_id(user * self.size.tasks_per_user + turn)
                ask(204, "DELETE", f"/api/v1/tasks/{task}")
                yield time.time(), task, None


def send(connection, bearer, expected, method, path, body=None):
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != expected:
        raise Failed(f"{method} {path}: {answer.status} instead of {expected}: {said.decode()}")
    return json.loads(said) if said else None
