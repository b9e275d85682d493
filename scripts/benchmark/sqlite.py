"""SQLite files."""

import contextlib
import sqlite3

from .cells import FIRST_ID, id_prefix
from .processes import Failed

INSERT = """
INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                   is_completed, version, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def connect(path):
    """Opens a file with the durability of the service. Statements outside of a transaction commit at once."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")
    return contextlib.closing(connection)


def task_id(micros, number):
    return bytes.fromhex(f"{id_prefix(micros)}{FIRST_ID + number}".replace("-", ""))


class SqliteFile:
    """A file that one service serves."""

    def __init__(self, folder, name):
        self.path, self.name = folder / f"{name}.db", name
        self.url = f"sqlite://{self.path}"

    def create(self):
        """Does nothing: the service creates the file."""

    def _vacuum(self, connection):
        connection.execute("VACUUM")
        connection.execute("ANALYZE")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Failed(f"another process uses {self.path}")
