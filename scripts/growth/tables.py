"""Tables of different sizes with owners of different numbers of tasks, the same on both stores."""

import time
from dataclasses import dataclass

from benchmark.cells import DESCRIPTION, FIRST_ID, FIRST_USER, SEED_MICROS, id_prefix
from benchmark.log import statements
from benchmark.postgres import PostgresDatabase
from benchmark.sqlite import SqliteFile, connect, task_id

# The id of the first of the other users, and their maximum number of tasks.
FIRST_OTHER, TASKS_OF_OTHERS = 2000, 1000
# The word to search for, and the number of tasks of each owner that contain it.
WORD, MATCHES = "juniper", 5
# All changes are of these last days.
DAYS = 29

# The rows of tasks as the service writes them: it would rebuild the texts of a search that are missing.
COLUMNS = ("id, user_id, title, description, title_folded, description_folded, title_search, description_search, "
           "search_version, is_completed, version, created_at, updated_at")
INSERT = f"INSERT INTO tasks ({COLUMNS}) VALUES ({', '.join('?' * 13)})"


def log(table, new_id):
    """Returns the statements that write the log, and a task into the trash for every ten tasks."""
    trashed = (f"INSERT INTO trash ({COLUMNS}, deleted_at) SELECT {COLUMNS.replace('id', new_id, 1)}, "
               f"{time.time_ns() // 1000} FROM tasks WHERE created_at / 1000000 % 10 = 0")
    return [*statements(table.tasks, DAYS), trashed]


@dataclass(frozen=True)
class Table:
    """A number of tasks; those of each owner are spread evenly among them."""

    tasks: int
    # The number of tasks of each owner. Those of owner number i are i, i + stride, i + 2 * stride and so on. With
    # several owners the strides are multiples of ten, so that no task has two owners.
    owners: tuple

    def stride(self, owner):
        return self.tasks // self.owners[owner]

    def id(self, owner, index):
        """Returns the id of a task of an owner, in the format of the service."""
        return f"{id_prefix(SEED_MICROS)}{FIRST_ID + owner + index * self.stride(owner)}"

    def user(self, number):
        """Returns the owner of a task."""
        for owner in range(len(self.owners)):
            if number % self.stride(owner) == owner:
                return FIRST_USER + owner
        return FIRST_OTHER + number % self.others

    def users(self):
        return [*range(FIRST_USER, FIRST_USER + len(self.owners)),
                *range(FIRST_OTHER, FIRST_OTHER + self.others)]

    @property
    def others(self):
        return self.tasks // TASKS_OF_OTHERS

    @property
    def word_every(self):
        return self.tasks // MATCHES

    def has_word(self, number):
        return number % self.word_every < len(self.owners)


class Database(PostgresDatabase):
    """A database of a server with such a table."""

    def fill(self, table):
        at = SEED_MICROS
        owners = " ".join(f"WHEN n % {table.stride(owner)} = {owner} THEN {FIRST_USER + owner}"
                          for owner in range(len(table.owners)))
        self.server.sql(self.name, f"""
            INSERT INTO users (id, is_active, created_at, updated_at)
            SELECT id, true, {at}, {at} FROM unnest(ARRAY{table.users()}) AS id;
            INSERT INTO tasks ({COLUMNS})
            SELECT ('{id_prefix(at)}' || {FIRST_ID} + n)::uuid,
                   CASE {owners} ELSE {FIRST_OTHER} + n % {table.others} END,
                   title, '{DESCRIPTION}', lower(title), '{DESCRIPTION.lower()}',
                   lower(title), '{DESCRIPTION.lower()}', 1, n % 4 = 0, 1, {at} + n * 1000000, {at} + n * 1000000
            FROM generate_series(0::bigint, {table.tasks - 1}) AS n,
                 LATERAL (SELECT 'Task ' || n || ': water the ' ||
                                 CASE WHEN n % {table.word_every} < {len(table.owners)}
                                      THEN '{WORD}' ELSE 'plants' END AS title) AS texts;
            {"; ".join(log(table, "gen_random_uuid()"))};
            VACUUM ANALYZE;
            CHECKPOINT;
        """)

    def query(self, statement):
        """Returns the rows of a statement, whose columns have no `|`."""
        return [row.split("|") for row in self.server.sql(self.name, statement).splitlines()]

    def bytes(self, table):
        """Returns the size of a table with its indexes."""
        return int(self.query(f"SELECT pg_total_relation_size('{table}')")[0][0])


class File(SqliteFile):
    """A SQLite file with such a table."""

    def fill(self, table):
        with connect(self.path) as connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO users (id, is_active, created_at, updated_at) VALUES (?, TRUE, ?, ?)",
                ((str(user), SEED_MICROS, SEED_MICROS) for user in table.users()))
            connection.executemany(INSERT, (row(table, number) for number in range(table.tasks)))
            for statement in log(table, "randomblob(16)"):
                connection.execute(statement)
            connection.execute("COMMIT")
            self._vacuum(connection)

    def query(self, statement):
        """Returns the rows of a statement."""
        with connect(self.path) as connection:
            return connection.execute(statement).fetchall()

    def bytes(self, table):
        """Returns the size of a table with its indexes."""
        [(size,)] = self.query("SELECT sum(pgsize) FROM dbstat WHERE name IN "
                               f"(SELECT name FROM sqlite_master WHERE tbl_name = '{table}')")
        return size


def row(table, number):
    title = f"Task {number}: water the {WORD if table.has_word(number) else 'plants'}"
    at = SEED_MICROS + number * 1_000_000
    return (task_id(SEED_MICROS, number), str(table.user(number)), title, DESCRIPTION, title.lower(),
            DESCRIPTION.lower(), title.lower(), DESCRIPTION.lower(), 1, number % 4 == 0, 1, at, at)
