"""Clients that write through the service during a fault, and what they were told."""

import contextlib
import http.client
import itertools
import json
import multiprocessing
import threading
import time
from dataclasses import dataclass, field

from benchmark.processes import Failed
from benchmark.service import token

# Longer than the service takes for any answer.
ANSWER_SECONDS = 60
# The longest time until every client has written again.
TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.05
# The pauses of a client after a write, and after an error.
PAUSE_SECONDS = 0.02
ERROR_PAUSE_SECONDS = 0.1
TASKS = "/api/v1/tasks"


@dataclass
class Account:
    """What clients wrote, and what the service answered."""

    # The id of each acknowledged task, by its title.
    created: dict = field(default_factory=dict)
    # The titles of tasks that were refused and not tried again: none of them may be stored.
    refused: set = field(default_factory=set)
    # The descriptions that each changed task may have: of a change of unknown outcome, that of before and the new one.
    changed: dict = field(default_factory=dict)
    # When each write was acknowledged.
    acknowledged_at: list = field(default_factory=list)
    # The number of each kind of error.
    errors: dict = field(default_factory=dict)
    longest_request: float = 0.0

    def add(self, other):
        self.created.update(other.created)
        self.refused |= other.refused
        self.changed.update(other.changed)
        self.acknowledged_at += other.acknowledged_at
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.longest_request = max(self.longest_request, other.longest_request)

    def longest_silence(self):
        """Returns the longest time without an acknowledged write."""
        at = sorted(self.acknowledged_at)
        return max((after - before for before, after in zip(at, at[1:])), default=0.0)


class Load:
    """Threads of a separate process, each of which creates tasks of its own user and changes some of them. Every
    other one sends a key, and sends the creation again until it is acknowledged."""

    def __init__(self, count, name, port, secret):
        self.name, self.port, self.secret = name, port, secret
        self.stopped = multiprocessing.Event()
        # When each client last began a write that was acknowledged.
        self.began = multiprocessing.Array("d", count)
        self.result, self.sender = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self._run_all, args=[count], daemon=True)
        self.process.start()

    def wait_for_progress(self):
        """Waits until every client has had a write acknowledged that it began after now."""
        now = time.monotonic()
        while min(self.began) < now:
            if not self.process.is_alive() or time.monotonic() > now + TIMEOUT_SECONDS:
                stuck = sum(began < now for began in self.began)
                raise Failed(f"{stuck} clients had no write acknowledged for {TIMEOUT_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def stop(self):
        """Stops the clients after their current writes and returns their account."""
        self.stopped.set()
        if not self.result.poll(TIMEOUT_SECONDS):
            raise Failed(f"clients had no answer for {TIMEOUT_SECONDS} s")
        account = self.result.recv()
        self.process.join()
        return account

    def _run_all(self, count):
        clients = [Client(self, number) for number in range(count)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        total = Account()
        for thread, client in zip(threads, clients):
            thread.join()
            total.add(client.account)
        self.sender.send(total)


class Client:
    """One client, with one connection."""

    def __init__(self, load, number):
        self.load, self.number, self.is_keyed = load, number, number % 2 == 0
        self.user = f"{load.name}-{number}"
        self.headers = {"Authorization": f"Bearer {token(load.secret, self.user)}",
                        "Content-Type": "application/json"}
        self.account = Account()
        self.connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=ANSWER_SECONDS)

    def run(self):
        for round in itertools.count():
            if self.load.stopped.is_set():
                return
            title = f"{self.user} wrote {round}"
            if self._create(title, f"{self.user}-{round}") and round % 4 == 0:
                self._change(title)
            time.sleep(PAUSE_SECONDS)

    def _create(self, title, key):
        key = {"Idempotency-Key": key} if self.is_keyed else {}
        while True:
            status, body = self._send("POST", TASKS, {"title": title}, key)
            if status == 201:
                self.account.created[title] = body["task"]["id"]
                return True
            if not self.is_keyed:
                if status == 503:
                    self.account.refused.add(title)
                return False
            # Even after the end: what a key was sent for is to be known.
            if status not in (503, 504, 409, None):
                return False

    def _change(self, title):
        # A task is changed once, and has no description before.
        possible = [""]
        description = f"about {title}"
        status, _ = self._send("PATCH", f"{TASKS}/{self.account.created[title]}", {"description": description})
        if status == 200:
            possible = [description]
        elif status != 503:
            possible.append(description)
        self.account.changed[title] = possible

    def _send(self, method, path, body, headers=None):
        """Sends a write and returns the status and the body of its answer, without a status if there was none."""
        began = time.monotonic()
        status, text = None, ""
        try:
            self.connection.request(method, path, json.dumps(body), {**self.headers, **(headers or {})})
            answer = self.connection.getresponse()
            status, text = answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as problem:
            text = type(problem).__name__
            self.connection.close()
        ended = time.monotonic()
        self.account.longest_request = max(self.account.longest_request, ended - began)
        if status in (200, 201):
            self.account.acknowledged_at.append(ended)
            self.load.began[self.number] = began
        else:
            kind = str(status or text)
            self.account.errors[kind] = self.account.errors.get(kind, 0) + 1
            time.sleep(ERROR_PAUSE_SECONDS)
        decoded = None
        with contextlib.suppress(ValueError):
            decoded = json.loads(text)
        return status, decoded
