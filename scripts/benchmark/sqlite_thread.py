"""A thread that executes statements, the yardstick on SQLite, and the seeded data."""

import itertools
import random
import resource
import sys
import time
from dataclasses import astuple
from pathlib import Path

from .cells import (ADDED_MICROS, COLUMNS, DESCRIPTION, FIRST_USER, MIX, OF_OWNER, SEED_MICROS, Data,
                    cells)
from .log import CHANGES, MISSED, statements
from .processes import Failed, run
from .sqlite import INSERT, SqliteFile, connect, task_id

NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"


def row(id, user, title, at, completed=False):
    """Returns the values of a new task."""
    return (id, str(user), title, DESCRIPTION, title.lower(), DESCRIPTION.lower(), completed, 1, at, at)


class SeededFile(SqliteFile):
    """A file with the seeded data."""

    def __init__(self, folder, name, data):
        super().__init__(folder, name)
        self.data = data
        self.is_modified = False

    def seed(self):
        with connect(self.path) as connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO users (id, is_active, created_at, updated_at) VALUES (?, TRUE, ?, ?)",
                ((str(FIRST_USER + user), SEED_MICROS, SEED_MICROS) for user in range(self.data.users + 1)))
            self._fill(connection)

    def reset(self):
        """Restores the seeded tasks, so that every measurement starts from the same data."""
        with connect(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM tasks")
            self._fill(connection)

    def _fill(self, connection):
        connection.executemany(INSERT, map(self._seeded, range(self.data.tasks)))
        # Builds before the change log have no such tables.
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'feeds'").fetchone():
            for table in ("changes", "feeds", "trash"):
                connection.execute(f"DELETE FROM {table}")
            for statement in statements(self.data.tasks, days=1):
                connection.execute(statement)
        connection.execute("COMMIT")
        self._vacuum(connection)

    def _seeded(self, number):
        return row(task_id(SEED_MICROS, number), self.data.owner(number),
                   f"Task {100_000 + number}: water the plants", SEED_MICROS + number * 1_000_000,
                   number % 4 == 0)

    def cpu_seconds(self):
        """Returns the processor time of the database so far, outside of its client."""
        return 0.0

    def yardstick(self, cell, seconds, each=None):
        """Runs the statements of a cell for `seconds`, or at most `each` statements. Returns the number of
        statements, statements per second, and the processor time of the database within the client."""
        # The statements run in a separate process, like every other load generator.
        output = run([sys.executable, "-B", "-m", __name__, self.path, cell.name, seconds, each or 0,
                      *astuple(self.data)],
                     cwd=Path(__file__).resolve().parent.parent)
        count, elapsed, cpu = output.split()
        return int(count), int(count) / float(elapsed), float(cpu)


class Statements:
    """The statements of a cell: each step of the iterator executes one."""

    def __init__(self, connection, data, cell):
        self.connection, self.data, self.cell = connection, data, cell
        self.kept, self.last = data.kept(cell), data.deleted(cell)

    def __iter__(self):
        return getattr(self, self.cell.name)()

    def _any_user(self):
        return FIRST_USER + random.randrange(self.data.users)

    def _any_task(self):
        user = random.randrange(self.data.users)
        number = user * self.data.tasks_per_user + random.randrange(self.kept)
        return task_id(SEED_MICROS, number), str(FIRST_USER + user)

    def get(self):
        select = f"SELECT {COLUMNS} FROM tasks WHERE id = ? AND user_id = ? LIMIT 1"
        while True:
            if self.connection.execute(select, self._any_task()).fetchone() is None:
                raise Failed("a task is missing")
            yield

    def page(self):
        # One more row than the page has shows whether there is another page.
        select = f"SELECT {OF_OWNER} FROM tasks WHERE user_id = ? {NEWEST_FIRST} LIMIT 21"
        while True:
            self.connection.execute(select, (str(self._any_user()),)).fetchall()
            yield

    def changes(self):
        select, after = CHANGES.format(user="?1", after="?2"), self.data.tasks_per_user - MISSED
        while True:
            rows = self.connection.execute(select, (str(self._any_user()), after)).fetchall()
            if len(rows) != MISSED:
                raise Failed(f"{len(rows)} changes instead of {MISSED}")
            yield

    def list(self):
        select = f"SELECT {OF_OWNER} FROM tasks WHERE user_id = ? {NEWEST_FIRST}"
        while True:
            rows = self.connection.execute(select, (str(self.data.lister),)).fetchall()
            if len(rows) != self.data.listed:
                raise Failed(f"{len(rows)} tasks instead of {self.data.listed}")
            yield

    def create(self):
        # Ids increase with time, like those of the service.
        for number in itertools.count():
            self.connection.execute(INSERT, row(task_id(ADDED_MICROS, number), self._any_user(),
                                                "Task 100000: water the plants", ADDED_MICROS + number))
            yield

    def complete(self):
        update = f"""
            UPDATE tasks SET version = version + 1, is_completed = ?,
                   updated_at = CASE WHEN updated_at >= ? THEN updated_at + 1 ELSE ? END
            WHERE id = ? AND user_id = ? RETURNING {OF_OWNER}
        """
        for at in itertools.count(ADDED_MICROS):
            values = (random.random() < 0.5, at, at, *self._any_task())
            self.connection.execute(update, values).fetchall()
            yield

    def delete(self):
        users, each = self.data.users, self.data.tasks_per_user
        for victim in itertools.count():
            user, index = victim % users, each - 1 - victim // users % self.last
            values = (task_id(SEED_MICROS, user * each + index), str(FIRST_USER + user))
            self.connection.execute("DELETE FROM tasks WHERE id = ? AND user_id = ?", values)
            yield

    def mix(self):
        iterators = {name: getattr(self, name)() for name in MIX}
        while True:
            [name] = random.choices(list(MIX), list(MIX.values()))
            next(iterators[name])
            yield


def main(path, name, seconds, most, *sizes):
    """Executes statements for `seconds` and, unless `most` is 0, at most `most` of them. Prints their number, the
    time and the processor time."""
    seconds, most, data = float(seconds), int(most), Data(*map(int, sizes))
    [cell] = (cell for cell in cells(data) if cell.name == name)
    with connect(path) as connection:
        start, count = time.monotonic(), 0
        for _ in Statements(connection, data, cell):
            count += 1
            elapsed = time.monotonic() - start
            if count == most or elapsed >= seconds:
                break
        used = resource.getrusage(resource.RUSAGE_SELF)
    print(count, elapsed, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main(*sys.argv[1:])
