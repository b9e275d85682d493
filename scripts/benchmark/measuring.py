"""Measurements, and how far other programs disturbed them."""

import os
import sys
import time
from collections import namedtuple

from .processes import busy_seconds, generators_cpu_seconds

# A measurement during which other programs had more of the machine than this is disturbed.
DISTURBED = 0.1

Statements = namedtuple("Statements", "rate cpu others")
Answers = namedtuple("Answers", "rate p50 p99 errors service_cpu database_cpu memory others")
# What was measured one right after the other: the yardstick, then each of the services.
Round = namedtuple("Round", "statements answers")


class Meter:
    """What was used between its start and `stop`."""

    def __init__(self, store, service=None):
        self.store, self.service = store, service
        self.start = self._now()

    def _now(self):
        service = self.service.cpu_seconds() if self.service else 0.0
        return (time.monotonic(), busy_seconds(), generators_cpu_seconds(),
                self.store.cpu_seconds(), service)

    def stop(self, settle_seconds):
        # What a generator used is known when it has ended, what its connections used a little later.
        time.sleep(settle_seconds)
        used = [now - before for before, now in zip(self.start, self._now())]
        elapsed, busy, generators, self.database, self.of_service = used
        others = busy - generators - self.database - self.of_service
        # The part of the whole machine that went to other programs.
        self.others = max(0.0, others) / (elapsed * os.cpu_count())
        return self


def prepare(store, cell):
    """Every measurement begins with the same data."""
    if store.was_written:
        store.take_back()
    store.was_written = cell.writes


def measure_yardstick(store, cell, options):
    prepare(store, cell)
    meter = Meter(store)
    count, rate, cpu = store.yardstick(cell, options.seconds, options.statements)
    meter.stop(options.settle_seconds)
    return Statements(rate, (meter.database + cpu) / max(1, count) * 1e6, meter.others)


def measure_service(service, cell, options):
    prepare(service.store, cell)
    meter = Meter(service.store, service)
    result = service.wrk(cell, options.seconds)
    service.rest()
    meter.stop(options.settle_seconds)
    requests = max(1, result["requests"])
    return Answers(
        rate=result["requests"] / (result["micros"] / 1e6),
        p50=result["p50"] / 1000,
        p99=result["p99"] / 1000,
        errors=result["status"] + result["socket"],
        service_cpu=meter.of_service / requests * 1e6,
        database_cpu=meter.database / requests * 1e6,
        memory=service.memory_mb(),
        others=meter.others,
    )


def measure_round(services, cell, options, label):
    """One of each; again while disturbed, and then the least disturbed one."""
    rounds = []
    for _ in range(1 + options.retries):
        statements = measure_yardstick(services[0].store, cell, options)
        answers = [measure_service(service, cell, options) for service in services]
        rounds.append(Round(statements, answers))
        rates = ", ".join(f"{service.title} {one.rate:,.0f}/s with {one.errors} errors"
                          for service, one in zip(services, answers))
        others = " and ".join(f"{part:.0%}" for part in of_others(rounds[-1]))
        print(f"  {label}: statements {statements.rate:,.0f}/s, {rates}, other programs {others}",
              file=sys.stderr, flush=True)
        if max(of_others(rounds[-1])) <= DISTURBED:
            break
    chosen = min(rounds, key=lambda one: max(of_others(one)))
    errors = [sum(of_service) for of_service in
              zip(*([one.errors for one in each.answers] for each in rounds))]
    return Round(chosen.statements, [one._replace(errors=sum_of_all)
                                     for one, sum_of_all in zip(chosen.answers, errors)])


def of_others(measured):
    """The part of the machine that other programs had in each measurement of a round."""
    return [one.others for one in (measured.statements, *measured.answers)]
