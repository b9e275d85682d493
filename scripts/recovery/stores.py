"""The tested stores: seeds, destroys and reads them."""

import hashlib
import sqlite3
from dataclasses import dataclass

from benchmark.cells import FIRST_ID, FIRST_USER, SEED_MICROS, id_prefix
from benchmark.postgres import Postgres, PostgresDatabase
from benchmark.sqlite import INSERT, SqliteFile, connect, task_id


@dataclass
class Size:
    """The amount of seeded data."""

    users: int
    tasks_per_user: int

    @property
    def tasks(self):
        return self.users * self.tasks_per_user

    def owner(self, number):
        """Returns the owner of a seeded task."""
        return str(FIRST_USER + number // self.tasks_per_user)


def seeded_id(number):
    """Returns the id of a seeded task, in the format of the service."""
    return f"{id_prefix(SEED_MICROS)}{FIRST_ID + number}"


class Server(Postgres):
    """A PostgreSQL server with the default settings and a larger cache."""

    OPTIONS = {"listen_addresses": "127.0.0.1", "shared_buffers": "256MB"}

    def configure(self, settings):
        """Adds settings to postgresql.conf, where values may contain spaces."""
        with open(self.folder / "data/postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


class Database(PostgresDatabase):
    """A database of a server."""

    title = "PostgreSQL"

    # All texts differ, so that a dump compresses as it does with real texts. A digest has no upper case letters.
    SEED = """
        INSERT INTO users (id, is_active, created_at, updated_at)
        SELECT {first_user} + u, true, {at}, {at} FROM generate_series(0, {users} - 1) AS u;
        INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                           is_completed, version, created_at, updated_at)
        SELECT ('{prefix}' || {first_id} + n)::uuid, {first_user} + n / {tasks_per_user},
               'Task ' || n || ': ' || md5(n::text), text, 'task ' || n || ': ' || md5(n::text), text,
               n % 4 = 0, 1, {at} + n * 1000000, {at} + n * 1000000
        FROM generate_series(0::bigint, {tasks} - 1) AS n,
             LATERAL (SELECT md5('a' || n) || ' ' || md5('b' || n) AS text) AS texts;
        VACUUM ANALYZE;
    """

    def seed(self, size):
        self.server.sql(self.name, self.SEED.format(
            first_user=FIRST_USER, at=SEED_MICROS, users=size.users, tasks=size.tasks,
            tasks_per_user=size.tasks_per_user, prefix=id_prefix(SEED_MICROS), first_id=FIRST_ID))

    def destroy(self):
        self.server.sql("postgres", f"DROP DATABASE {self.name} WITH (FORCE);")

    def prepare_restore(self):
        """Creates the empty database for a restore, like an operator."""
        self.create()

    def version(self):
        return self.server.version()

    def titles(self):
        """Returns the title of every task, by its id."""
        rows = self.server.sql(self.name, "SELECT id || ' ' || title FROM tasks;")
        return dict(row.split(" ", 1) for row in rows.splitlines())


class File(SqliteFile):
    """A SQLite file."""

    title = "SQLite"

    def seed(self, size):
        with connect(self.path) as connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO users (id, is_active, created_at, updated_at) VALUES (?, TRUE, ?, ?)",
                ((str(FIRST_USER + user), SEED_MICROS, SEED_MICROS) for user in range(size.users)))
            connection.executemany(INSERT, (self._task(size, number) for number in range(size.tasks)))
            connection.execute("COMMIT")
            self._vacuum(connection)

    def _task(self, size, number):
        def digest(text):
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        title, text = f"Task {number}: {digest(str(number))}", f"{digest(f'a{number}')} {digest(f'b{number}')}"
        at = SEED_MICROS + number * 1_000_000
        return (task_id(SEED_MICROS, number), size.owner(number), title, text, title.lower(), text,
                number % 4 == 0, 1, at, at)

    def destroy(self):
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    def prepare_restore(self):
        """Does nothing: a restore creates the file."""

    def version(self):
        """Returns the version of this reader; the service has another one compiled in."""
        return sqlite3.sqlite_version

    def titles(self):
        with connect(self.path) as connection:
            rows = connection.execute("SELECT lower(hex(id)), title FROM tasks")
            return {f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}": title for id, title in rows}
