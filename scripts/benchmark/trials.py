"""How the service is measured on each store."""

import sqlite3
from dataclasses import dataclass, field

from .postgres import Postgres, PostgresDatabase
from .sqlite import SqliteFile


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
        ("get", ""): "ratio 0.45",
        ("page", ""): "ratio 0.45",
        ("create", ""): "ratio 0.65",
        ("complete", ""): "ratio 0.65",
        ("delete", ""): "ratio 0.65",
        ("mix", ""): "ratio 0.50, p99 25 ms",
    }

    def __init__(self, folder, undo):
        self.server = Postgres(folder)
        undo.callback(self.server.stop)
        self.server.start()

    def version(self):
        return self.server.version()

    def store(self, name):
        return PostgresDatabase(self.server, name)


class SqliteTrial:
    title = "SQLite"
    yardstick = "sqlite3"
    database_is_apart = False
    ways = [
        Way(),
        Way("a commit each", {"TASKHOLD__DATABASE__WRITES_PER_COMMIT": "1"}, for_writes=True),
    ]
    goals = {("get", ""): "20,000/s", ("create", ""): "8,000/s"}

    def __init__(self, folder, _undo):
        self.folder = folder

    def version(self):
        """Of the yardstick; the service has its own compiled in."""
        return sqlite3.sqlite_version

    def store(self, name):
        return SqliteFile(self.folder, name)


TRIALS = {"postgres": PostgresTrial, "sqlite": SqliteTrial}
