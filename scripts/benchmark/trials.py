"""The setup of the measurements for each store."""

import sqlite3
from dataclasses import dataclass, field

from .goals import memory, p50, p99, rate, ratio
from .pgbench import SeededDatabase
from .postgres import Postgres
from .sqlite_thread import SeededFile


@dataclass
class Variant:
    """Settings to run the service with; the first variant of a store is the default."""

    name: str = ""
    settings: dict = field(default_factory=dict)
    # Whether the settings affect only writes.
    for_writes: bool = False


class PostgresTrial:
    title = "PostgreSQL"
    yardstick = "pgbench"
    # Whether the database is a separate process.
    database_is_separate = True
    variants = [Variant()]
    goals = {
        ("get", ""): [ratio(0.45)],
        ("page", ""): [ratio(0.45)],
        ("list", ""): [p50(20)],
        ("create", ""): [ratio(0.65)],
        ("complete", ""): [ratio(0.65)],
        ("delete", ""): [ratio(0.65)],
        ("mix", ""): [ratio(0.50), p99(25), memory(40)],
    }

    def __init__(self, folder, cleanup):
        self.server = Postgres(folder)
        cleanup.callback(self.server.stop)
        self.server.start()

    def version(self):
        return self.server.version()

    def store(self, name, data):
        return SeededDatabase(self.server, name, data)


class SqliteTrial:
    title = "SQLite"
    yardstick = "sqlite3"
    database_is_separate = False
    variants = [
        Variant(),
        Variant("a commit each", {"TASKHOLD__DATABASE__WRITES_PER_COMMIT": "1"}, for_writes=True),
    ]
    goals = {
        ("get", ""): [rate(20_000)],
        ("list", ""): [p50(20)],
        ("create", ""): [rate(8_000)],
        ("mix", ""): [memory(40)],
    }

    def __init__(self, folder, _cleanup):
        self.folder = folder

    def version(self):
        """Returns the version of the yardstick; the service has another one compiled in."""
        return sqlite3.sqlite_version

    def store(self, name, data):
        return SeededFile(self.folder, name, data)


TRIALS = {"postgres": PostgresTrial, "sqlite": SqliteTrial}
