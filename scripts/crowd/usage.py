"""The processor time of the service, its database and other programs."""

import os
import time

from benchmark.processes import busy_seconds, cpu_seconds, generators_cpu_seconds


class Usage:
    """Measures processor time in seconds, from its creation until `stop`. `database` is a function that returns
    the processor time of the database so far, outside of the service."""

    def __init__(self, service, database):
        self._counters = [time.monotonic, busy_seconds, generators_cpu_seconds,
                      lambda: cpu_seconds(service.process.pid), database]
        self._before = self._now()

    def _now(self):
        return [counter() for counter in self._counters]

    def stop(self):
        """Ends the measurement. The load generator must have exited, because its usage is unknown until then."""
        elapsed, busy, generator, self.service, self.database = (
            now - before for before, now in zip(self._before, self._now()))
        others = max(0.0, busy - generator - self.service - self.database)
        # The share of the machine that other programs used.
        self.others = others / (elapsed * os.cpu_count())
