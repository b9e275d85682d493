"""How the service is measured on each store."""

import sqlite3
from dataclasses import dataclass, field

from .goals import memory, p50, p99, rate, ratio
from .pgbench import SeededDatabase
from .postgres import Postgres
from .sqlite_thread import SeededFile


@dataclass
class Way:
    """A way to run the service, by its settings; the first of a store is the default."""

    name: str = ""
    settings: dict = field(default_factory=dict)
    # Whether it makes a difference to writes alone.
    for_writes: bool = False


class PostgresTrial:
    title = "PostgreSQL"
    yardstick = "pgbench"
    # Whether the database is a program of its own.
    database_is_apart = True
    ways = [Way()]
    goals = {
        ("get", ""): [ratio(0.45)],
        ("page", ""): [ratio(0.45)],
        ("list", ""): [p50(20)],
        ("create", ""): [ratio(0.65)],
        ("complete", ""): [ratio(0.65)],
        ("delete", ""): [ratio(0.65)],
        ("mix", ""): [ratio(0.50), p99(25), memory(40)],
    }

    def __init__(self, folder, undo):
        self.server = Postgres(folder)
        undo.callback(self.server.stop)
        self.server.start()

    def version(self):
        return self.server.version()

    def store(self, name, data):
        return SeededDatabase(self.server, name, data)


class SqliteTrial:
    title = "SQLite"
    yardstick = "sqlite3"
    database_is_apart = False
    ways = [
        Way(),
        Way("a commit each", {"TASKHOLD__DATABASE__WRITES_PER_COMMIT": "1"}, for_writes=True),
    ]
    goals = {
        ("get", ""): [rate(20_000)],
        ("list", ""): [p50(20)],
        ("create", ""): [rate(8_000)],
        ("mix", ""): [memory(40)],
    }

    def __init__(self, folder, _undo):
        self.folder = folder

    def version(self):
        """Of the yardstick; the service has its own compiled in."""
        return sqlite3.sqlite_version

    def store(self, name, data):
        return SeededFile(self.folder, name, data)


TRIALS = {"postgres": PostgresTrial, "sqlite": SqliteTrial}
