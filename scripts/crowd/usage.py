"""What the service, its database and other programs used meanwhile."""

import os
import time

from benchmark.processes import busy_seconds, cpu_seconds, generators_cpu_seconds


class Usage:
    """In seconds of processor time, from when it is made to `stop`. The database is a function that tells
    what it has used so far, outside of the service."""

    def __init__(self, service, database):
        self._tell = [time.monotonic, busy_seconds, generators_cpu_seconds,
                      lambda: cpu_seconds(service.process.pid), database]
        self._before = self._now()

    def _now(self):
        return [tell() for tell in self._tell]

    def stop(self):
        """Once the load generator has ended: before that, what it used is not known."""
        elapsed, busy, generator, self.service, self.database = (
            now - before for before, now in zip(self._before, self._now()))
        others = max(0.0, busy - generator - self.service - self.database)
        # The part of the whole machine that went to other programs.
        self.others = others / (elapsed * os.cpu_count())
