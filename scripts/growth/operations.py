"""What is asked of the service, and how long it takes: one request at a time, on one connection."""

import json
import random
import statistics
import time

from benchmark.processes import Failed

from .tables import MATCHES, WORD

TASKS = "/api/v1/tasks"
PAGE = f"{TASKS}?limit=20"
NEW = json.dumps({"title": "Task 100000: water the plants", "description": "Twice a week."})

# Before anything is counted: statements are prepared, and what is read is in memory.
WARM_UP = 20
# Of each owner, for each median.
TURNS = 10


class Asker:
    """One of the owners of a table."""

    def __init__(self, wire, table, owner):
        self.wire, self.table, self.owner = wire, table, owner
        self.tasks = table.owners[owner]

    def ask(self, expected, method, path, body=None):
        """How many seconds it took, and the answer."""
        started = time.perf_counter()
        try:
            status, answer = self.wire.ask(method, path, body)
        except OSError as problem:
            raise Failed(f"{method} {path}: {type(problem).__name__}: {problem}") from problem
        seconds = time.perf_counter() - started
        if status != expected:
            raise Failed(f"{method} {path}: {status} instead of {expected}: {answer.decode()}")
        return seconds, json.loads(answer) if answer else None

    def ask_page(self, path, tasks):
        seconds, page = self.ask(200, "GET", path)
        if len(page["tasks"]) != tasks:
            raise Failed(f"{path}: {len(page['tasks'])} tasks instead of {tasks}")
        return seconds


# Each prepares what it needs, and returns what asks once and tells the seconds.

def page(asker):
    return lambda: asker.ask_page(PAGE, 20)


def deep_page(asker):
    """The page behind seven tenths of the tasks."""
    step = min(1000, asker.tasks // 10)
    path = f"{TASKS}?limit={step}"
    for _ in range(asker.tasks * 7 // 10 // step):
        _, answer = asker.ask(200, "GET", path)
        path = f"{TASKS}?limit={step}&cursor={answer['next_cursor']}"
    deep = f"{PAGE}&cursor={answer['next_cursor']}"
    return lambda: asker.ask_page(deep, 20)


def search(asker):
    return lambda: asker.ask_page(f"{PAGE}&q={WORD}", MATCHES)


def create(asker):
    """Takes back each new task, so that there are never more than one."""
    def once():
        seconds, answer = asker.ask(201, "POST", TASKS, NEW)
        asker.ask(204, "DELETE", f"{TASKS}/{answer['task']['id']}")
        return seconds
    return once


def complete(asker):
    chance = random.Random(asker.owner)

    def once():
        task = asker.table.id(asker.owner, chance.randrange(asker.tasks))
        body = json.dumps({"completed": chance.random() < 0.5})
        return asker.ask(200, "PATCH", f"{TASKS}/{task}/complete", body)[0]
    return once


# Those that write come last.
OPERATIONS = {"page": page, "deep page": deep_page, "search": search, "create": create,
              "complete": complete}


def measure(name, askers, options):
    """The median in milliseconds for each of them, of so many requests or of those that the time suffices
    for."""
    ways = [OPERATIONS[name](asker) for asker in askers]
    for once in ways:
        for _ in range(WARM_UP):
            once()
    times = [[] for _ in ways]
    # In turn, so that what else the machine does meets all alike.
    for _ in range(TURNS):
        for once, taken in zip(ways, times):
            until, last = time.monotonic() + options.seconds / TURNS, len(taken) + options.requests // TURNS
            taken.append(once())
            while len(taken) < last and time.monotonic() < until:
                taken.append(once())
    return [statistics.median(taken) * 1000 for taken in times]
