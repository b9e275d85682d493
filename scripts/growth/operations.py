"""The measured operations: one request at a time, on one connection."""

import json
import random
import statistics
import time

from benchmark.cells import FIRST_USER
from benchmark.log import MISSED, cursor
from benchmark.processes import Failed

from .tables import MATCHES, WORD

TASKS = "/api/v1/tasks"
PAGE = f"{TASKS}?limit=20"
NEW = json.dumps({"title": "Task 100000: water the plants", "description": "Twice a week."})

# Requests before the measurement, which prepare statements and load data into memory.
WARM_UP = 20
# The turns of each owner, for each median.
TURNS = 10


class Client:
    """A client of one owner of a table."""

    def __init__(self, connection, table, owner):
        self.connection, self.table, self.owner = connection, table, owner
        self.tasks = table.owners[owner]

    def request(self, expected, method, path, body=None):
        """Sends a request, and returns its seconds and the answer."""
        started = time.perf_counter()
        try:
            status, answer = self.connection.request(method, path, body)
        except OSError as problem:
            raise Failed(f"{method} {path}: {type(problem).__name__}: {problem}") from problem
        seconds = time.perf_counter() - started
        if status != expected:
            raise Failed(f"{method} {path}: {status} instead of {expected}: {answer.decode()}")
        return seconds, json.loads(answer) if answer else None

    def request_page(self, path, tasks, name="tasks"):
        seconds, page = self.request(200, "GET", path)
        if len(page[name]) != tasks:
            raise Failed(f"{path}: {len(page[name])} tasks instead of {tasks}")
        return seconds


# Each function prepares an operation, and returns a function that sends one request and returns its seconds.

def page(client):
    return lambda: client.request_page(PAGE, 20)


def deep_page(client):
    """Requests the page after seven tenths of the tasks."""
    step = min(1000, client.tasks // 10)
    path = f"{TASKS}?limit={step}"
    for _ in range(client.tasks * 7 // 10 // step):
        _, answer = client.request(200, "GET", path)
        path = f"{TASKS}?limit={step}&cursor={answer['next_cursor']}"
    deep = f"{PAGE}&cursor={answer['next_cursor']}"
    return lambda: client.request_page(deep, 20)


def search(client):
    return lambda: client.request_page(f"{PAGE}&q={WORD}", MATCHES)


def changes(client):
    path = f"/api/v1/changes?limit=20&cursor={cursor(FIRST_USER + client.owner, client.tasks)}"
    return lambda: client.request_page(path, MISSED, "changed")


def create(client):
    """Deletes each new task, so that the number of tasks stays the same."""
    def send():
        seconds, answer = client.request(201, "POST", TASKS, NEW)
        client.request(204, "DELETE", f"{TASKS}/{answer['task']['id']}")
        return seconds
    return send


def complete(client):
    rng = random.Random(client.owner)

    def send():
        task = client.table.id(client.owner, rng.randrange(client.tasks))
        body = json.dumps({"completed": rng.random() < 0.5})
        return client.request(200, "PATCH", f"{TASKS}/{task}/complete", body)[0]
    return send


# Operations that write come last.
OPERATIONS = {"page": page, "deep page": deep_page, "search": search, "changes": changes, "create": create,
              "complete": complete}


def measure(name, clients, options):
    """Returns the median in milliseconds for each client, of `options.requests` requests or as many as fit into
    `options.seconds`."""
    operations = [OPERATIONS[name](client) for client in clients]
    for send in operations:
        for _ in range(WARM_UP):
            send()
    times = [[] for _ in operations]
    # Alternate, so that other load on the machine affects all alike.
    for _ in range(TURNS):
        for send, taken in zip(operations, times):
            until, last = time.monotonic() + options.seconds / TURNS, len(taken) + options.requests // TURNS
            taken.append(send())
            while len(taken) < last and time.monotonic() < until:
                taken.append(send())
    return [statistics.median(taken) * 1000 for taken in times]
