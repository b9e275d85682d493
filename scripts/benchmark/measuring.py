"""Measurements, and their disturbance by other programs."""

import os
import sys
import time
from collections import namedtuple

from .processes import busy_seconds, generators_cpu_seconds

# A measurement is disturbed if other programs use a larger share of the machine.
DISTURBED = 0.1

Statements = namedtuple("Statements", "rate cpu others")
Answers = namedtuple("Answers", "rate p50 p99 errors service_cpu database_cpu memory others")
# Consecutive measurements: the yardstick, then each service.
Round = namedtuple("Round", "statements answers")


class Meter:
    """Measures processor time from its creation until `stop`."""

    def __init__(self, store, service=None):
        self.store, self.service = store, service
        self.start = self._now()

    def _now(self):
        service = self.service.cpu_seconds() if self.service else 0.0
        return (time.monotonic(), busy_seconds(), generators_cpu_seconds(),
                self.store.cpu_seconds(), service)

    def stop(self, settle_seconds):
        # The usage of a generator is known after its exit, that of its connections slightly later.
        time.sleep(settle_seconds)
        used = [now - before for before, now in zip(self.start, self._now())]
        elapsed, busy, generators, self.database, self.service_seconds = used
        others = busy - generators - self.database - self.service_seconds
        # The share of the machine that other programs used.
        self.others = max(0.0, others) / (elapsed * os.cpu_count())
        return self


def prepare(store, cell):
    """Resets the data if the previous measurement wrote."""
    if store.is_modified:
        store.reset()
    store.is_modified = cell.writes


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
    service.wait_until_idle()
    meter.stop(options.settle_seconds)
    requests = max(1, result["requests"])
    return Answers(
        rate=result["requests"] / (result["micros"] / 1e6),
        p50=result["p50"] / 1000,
        p99=result["p99"] / 1000,
        errors=result["status"] + result["socket"],
        service_cpu=meter.service_seconds / requests * 1e6,
        database_cpu=meter.database / requests * 1e6,
        memory=service.memory_mb(),
        others=meter.others,
    )


def measure_round(services, cell, options, label):
    """Measures the yardstick and each service. Retries while disturbed, and returns the least disturbed round."""
    rounds = []
    for _ in range(1 + options.retries):
        statements = measure_yardstick(services[0].store, cell, options)
        answers = [measure_service(service, cell, options) for service in services]
        rounds.append(Round(statements, answers))
        rates = ", ".join(f"{service.title} {one.rate:,.0f}/s with {one.errors} errors"
                          for service, one in zip(services, answers))
        others = " and ".join(f"{part:.0%}" for part in others_shares(rounds[-1]))
        print(f"  {label}: statements {statements.rate:,.0f}/s, {rates}, other programs {others}",
              file=sys.stderr, flush=True)
        if max(others_shares(rounds[-1])) <= DISTURBED:
            break
    chosen = min(rounds, key=lambda measured: max(others_shares(measured)))
    errors = [sum(counts) for counts in
              zip(*([one.errors for one in each.answers] for each in rounds))]
    return Round(chosen.statements, [one._replace(errors=sum_of_all)
                                     for one, sum_of_all in zip(chosen.answers, errors)])


def others_shares(measured):
    """Returns the share of the machine that other programs used, for each measurement of a round."""
    return [one.others for one in (measured.statements, *measured.answers)]
