"""Runs all users concurrently. Each sends its requests at fixed times, independent of earlier answers."""

import contextlib
import multiprocessing
import signal
import threading
import time
from collections import namedtuple

from benchmark.processes import Failed

# Users are threads of this many processes, to reduce waiting for the interpreter lock.
PROCESSES = 2
# Requests that are not sent this long after the end of the plan are given up.
GRACE_SECONDS = 30

# The outcome of a request: its operation, the seconds from its due time until the answer, the part of them by
# which the generator was late, the time of the answer since the start of the run, and the problem if any.
Outcome = namedtuple("Outcome", "operation seconds late ended problem")


def run(plan, make_person):
    """Runs the plan and returns the outcome of each request. `make_person` creates the user of a number."""
    context = multiprocessing.get_context("fork")
    groups = []
    for part in range(min(PROCESSES, plan.users)):
        parent, child = context.Pipe()
        numbers = range(part, plan.users, PROCESSES)
        process = context.Process(target=run_group, args=[plan, make_person, numbers, child], daemon=True)
        process.start()
        # Close this end, so that the pipe ends when the process exits.
        child.close()
        groups.append((process, parent))
    try:
        for _, pipe in groups:
            pipe.recv()
        start = time.monotonic() + 0.5
        for _, pipe in groups:
            pipe.send(start)
        outcomes = [outcome for _, pipe in groups for outcome in pipe.recv()]
    except EOFError:
        raise Failed("a process of the load generator exited too early") from None
    for process, _ in groups:
        process.join()
    due = plan.users * plan.requests_per_user
    if len(outcomes) < due:
        raise Failed(f"the load generator gave up: it reports {len(outcomes)} of {due} requests")
    return outcomes


def run_group(plan, make_person, numbers, pipe):
    """Runs some of the users in this process, which ignores Ctrl-C and is terminated by the first process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    people = [(number, make_person(number)) for number in numbers]
    for _, person in people:
        # The first request connects, and lets the service verify the token.
        if problem := person.perform("page"):
            raise Failed(f"the first page of a user: {problem}")
    pipe.send("ready")
    start, outcomes = pipe.recv(), []
    threads = [threading.Thread(target=run_user, args=[plan, number, person, start, outcomes])
               for number, person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send([tuple(outcome) for outcome in outcomes])


def run_user(plan, number, person, start, outcomes):
    """Runs one user. A request that is sent late because the previous answer was slow is timed from when it was
    due: otherwise slow answers would hide the waiting time of the requests behind them. The lateness of the
    generator itself counts from when the request could have been sent."""
    free, give_up = 0.0, plan.seconds + GRACE_SECONDS
    with contextlib.closing(person.connection):
        for due, operation in plan.of(number):
            pause = start + due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            sent = time.monotonic() - start
            problem = person.perform(operation) if sent < give_up else "not sent"
            ended = time.monotonic() - start
            outcomes.append(Outcome(operation, ended - due, sent - max(due, free), ended, problem))
            free = ended
