"""Clients that write through the service, and record the acknowledged writes."""

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

# An acknowledged write: its time, the id of the task, and the new title; None if the task was deleted.
Write = namedtuple("Write", "at id title")


class Writers:
    """Threads of a separate process that create and rename tasks, and delete seeded ones."""

    def __init__(self, count, program, secret, size):
        self.count, self.port, self.secret, self.size = count, program.port, secret, size
        self.stopped = multiprocessing.Event()
        self.result, self.sender = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self._run_all, daemon=True)

    def start(self):
        self.process.start()
        return self

    def stop(self):
        """Stops the clients and returns the acknowledged writes, in order of acknowledgement."""
        self.stopped.set()
        writes, failures = self.result.recv()
        self.process.join()
        if failures:
            raise Failed(f"{len(failures)} writers failed, one of them with: {failures[0]}")
        return sorted(Write(*write) for write in writes)

    def _run_all(self):
        writes, failures = [], []
        threads = [threading.Thread(target=self._run_one, args=[client, writes, failures])
                   for client in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sender.send((writes, failures))

    def _run_one(self, client, writes, failures):
        try:
            for write in self._writes(client):
                writes.append(write)
                if self.stopped.is_set():
                    return
        except (OSError, http.client.HTTPException, Failed) as problem:
            failures.append(f"{type(problem).__name__}: {problem}")

    def _writes(self, client):
        """Sends and yields one write at a time; each client has its own users."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        users = range(client, self.size.users, self.count)
        tokens = {user: token(self.secret, str(FIRST_USER + user)) for user in users}
        for number in itertools.count():
            user = users[number % len(users)]
            title = f"client {client} wrote {number}"

            def request(*arguments):
                return send(connection, tokens[user], *arguments)

            task = request(201, "POST", "/api/v1/tasks", {"title": title})["task"]["id"]
            yield time.time(), task, title
            if number % 4 == 0:
                title = f"{title}, and again"
                request(200, "PUT", f"/api/v1/tasks/{task}", {"title": title})
                yield time.time(), task, title
            # Delete a seeded task as long as the user has any.
            turn = number // len(users)
            if number % 8 == 0 and turn < self.size.tasks_per_user:
                task = seeded_id(user * self.size.tasks_per_user + turn)
                request(204, "DELETE", f"/api/v1/tasks/{task}")
                yield time.time(), task, None


def send(connection, bearer, expected, method, path, body=None):
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != expected:
        raise Failed(f"{method} {path}: {answer.status} instead of {expected}: {text.decode()}")
    return json.loads(text) if text else None
