"""SQLite, and one thread of statements as the yardstick of the service on it."""

import contextlib
import os
import random
import resource
import sqlite3
import sys
import time
from pathlib import Path

from .cells import (ADDED_MICROS, COLUMNS, DESCRIPTION, FIRST_ID, FIRST_USER, KEPT_IN_MIX, MIX,
                    SEED_MICROS, TASKS, TASKS_PER_USER, USERS, id_prefix)
from .processes import Failed, run

INSERT = """
INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                   is_completed, version, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def connect(path):
    """Durable as the service is; a statement outside of a transaction is one of its own."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")
    return contextlib.closing(connection)


def task_id(micros, number):
    return bytes.fromhex(f"{id_prefix(micros)}{FIRST_ID + number}".replace("-", ""))


def task(id, user, title, at, completed=False):
    """The values of a new row."""
    return (id, str(user), title, DESCRIPTION, title.lower(), DESCRIPTION.lower(), completed, 1, at, at)


def seeded(number):
    return task(task_id(SEED_MICROS, number), FIRST_USER + number // TASKS_PER_USER,
                f"Task {100_000 + number}: water the plants", SEED_MICROS + number * 1_000_000,
                number % 4 == 0)


class SqliteFile:
    """A file that one service serves."""

    def __init__(self, folder, name):
        self.path, self.name = folder / f"{name}.db", name
        self.url = f"sqlite://{self.path}"
        self.was_written = False

    def create(self):
        """The service makes it."""

    def seed(self):
        with connect(self.path) as connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO users (id, is_active, created_at, updated_at) VALUES (?, TRUE, ?, ?)",
                ((str(FIRST_USER + user), SEED_MICROS, SEED_MICROS) for user in range(USERS)))
            connection.executemany(INSERT, map(seeded, range(TASKS)))
            connection.execute("COMMIT")
            self._tidy(connection)

    def take_back(self):
        """Takes back what a cell wrote, so that every measurement starts from the same data."""
        with connect(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM tasks")
            connection.executemany(INSERT, map(seeded, range(TASKS)))
            connection.execute("COMMIT")
            self._tidy(connection)

    def _tidy(self, connection):
        connection.execute("VACUUM")
        connection.execute("ANALYZE")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Failed(f"somebody else uses {self.path}")

    def cpu_seconds(self):
        """What the database has used so far, outside of the program that asks it."""
        return 0.0

    def yardstick(self, cell, seconds):
        """Statements, statements a second, and what the database used within the asking program."""
        # In a program of its own, like that of every other load.
        output = run([sys.executable, "-B", "-m", __name__, self.path, cell.name, seconds],
                     cwd=Path(__file__).resolve().parent.parent)
        count, elapsed, cpu = output.split()
        return int(count), int(count) / float(elapsed), float(cpu)


def any_task(kept):
    user = random.randrange(USERS)
    return (task_id(SEED_MICROS, user * TASKS_PER_USER + random.randrange(kept)), str(FIRST_USER + user))


def get(connection, kept=TASKS_PER_USER):
    select = f"SELECT {COLUMNS} FROM tasks WHERE id = ? AND user_id = ? LIMIT 1"
    while True:
        if connection.execute(select, any_task(kept)).fetchone() is None:
            raise Failed("a task is missing")
        yield


def page(connection):
    select = f"SELECT {COLUMNS} FROM tasks WHERE user_id = ? ORDER BY created_at DESC, id DESC LIMIT 21"
    while True:
        connection.execute(select, (str(FIRST_USER + random.randrange(USERS)),)).fetchall()
        yield


def create(connection):
    for number in range(FIRST_ID):
        user = FIRST_USER + random.randrange(USERS)
        # Ids grow with time, as those of the service do.
        connection.execute(INSERT, task(task_id(ADDED_MICROS, number), user,
                                        "Task 100000: water the plants", ADDED_MICROS + number))
        yield


def complete(connection, kept=TASKS_PER_USER):
    update = f"""
        UPDATE tasks SET version = version + 1, is_completed = ?,
               updated_at = CASE WHEN updated_at >= ? THEN updated_at + 1 ELSE ? END
        WHERE id = ? AND user_id = ? RETURNING {COLUMNS}
    """
    for at in range(ADDED_MICROS, ADDED_MICROS + FIRST_ID):
        values = (random.random() < 0.5, at, at, *any_task(kept))
        connection.execute(update, values).fetchall()
        yield


def delete(connection):
    for victim in range(TASKS):
        user, index = victim % USERS, TASKS_PER_USER - 1 - victim // USERS
        values = (task_id(SEED_MICROS, user * TASKS_PER_USER + index), str(FIRST_USER + user))
        connection.execute("DELETE FROM tasks WHERE id = ? AND user_id = ?", values)
        yield


def mix(connection):
    ways = {"get": get(connection, KEPT_IN_MIX), "page": page(connection), "create": create(connection),
            "complete": complete(connection, KEPT_IN_MIX), "delete": delete(connection)}
    while True:
        [name] = random.choices(list(MIX), list(MIX.values()))
        next(ways[name])
        yield


STATEMENTS = {"get": get, "page": page, "create": create, "complete": complete, "delete": delete,
              "mix": mix}


def main(path, cell, seconds):
    """One thread of statements, for so long: prints how many, the time and the processor time."""
    with connect(path) as connection:
        start, count = time.monotonic(), 0
        for _ in STATEMENTS[cell](connection):
            count += 1
            elapsed = time.monotonic() - start
            if elapsed >= float(seconds):
                break
        used = resource.getrusage(resource.RUSAGE_SELF)
    print(count, elapsed, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main(*sys.argv[1:])
