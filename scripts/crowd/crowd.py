"""All users at once, each at the times that were set before, whatever the answers take."""

import contextlib
import multiprocessing
import signal
import threading
import time
from collections import namedtuple

from benchmark.processes import Failed

# How many processes the users are threads of, so that they seldom wait for each other's interpreter.
PROCESSES = 2
# Requests that were not sent so long after the last one was due never are.
GRACE_SECONDS = 30

# A request that was due: its deed, how many seconds after that it was answered, how many of them the
# generator itself took to send it, when it was answered (by the clock of the run), and what went wrong.
Asked = namedtuple("Asked", "deed seconds late ended problem")


def run(plan, make_person):
    """What came of each request. `make_person` makes the user of a number."""
    context = multiprocessing.get_context("fork")
    groups = []
    for part in range(min(PROCESSES, plan.users)):
        ours, theirs = context.Pipe()
        numbers = range(part, plan.users, PROCESSES)
        process = context.Process(target=group, args=[plan, make_person, numbers, theirs], daemon=True)
        process.start()
        # It is at its end when the process is.
        theirs.close()
        groups.append((process, ours))
    try:
        for _, pipe in groups:
            pipe.recv()
        start = time.monotonic() + 0.5
        for _, pipe in groups:
            pipe.send(start)
        asked = [one for _, pipe in groups for one in pipe.recv()]
    except EOFError:
        raise Failed("a part of the load generator has ended too early") from None
    for process, _ in groups:
        process.join()
    due = plan.users * plan.requests_per_user
    if len(asked) < due:
        raise Failed(f"the load generator gave up: it tells of {len(asked)} of {due} requests")
    return asked


def group(plan, make_person, numbers, pipe):
    """Some of the users, in a process of their own, which ends when the first process says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    people = [(number, make_person(number)) for number in numbers]
    for _, person in people:
        # So that each is connected, and its token known.
        if problem := person.does("page"):
            raise Failed(f"the first page of a user: {problem}")
    pipe.send("ready")
    start, asked = pipe.recv(), []
    threads = [threading.Thread(target=one, args=[plan, number, person, start, asked])
               for number, person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send([tuple(each) for each in asked])


def one(plan, number, person, start, asked):
    """One user. Who waits for an answer while the next request is due sends that late, and it counts from
    when it was due: a slow answer would hide how long others would have waited, were they only sent after
    it. The generator itself was late only since it could have sent."""
    free, give_up = 0.0, plan.seconds + GRACE_SECONDS
    with contextlib.closing(person.wire):
        for due, deed in plan.of(number):
            pause = start + due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            sent = time.monotonic() - start
            problem = person.does(deed) if sent < give_up else "not sent"
            ended = time.monotonic() - start
            asked.append(Asked(deed, ended - due, sent - max(due, free), ended, problem))
            free = ended
