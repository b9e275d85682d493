"""pgbench, the yardstick on PostgreSQL, and the seeded data."""

import re

from .cells import (ADDED_MICROS, COLUMNS, DESCRIPTION, FIRST_ID, FIRST_USER, MIX, OF_OWNER,
                    SEED_MICROS, id_prefix)
from .log import CHANGES, MISSED, statements
from .postgres import PostgresDatabase
from .processes import Failed

SEED_USERS = """
INSERT INTO users (id, is_active, created_at, updated_at)
SELECT {first_user} + u, true, {at}, {at} FROM generate_series(0, {users}) AS u;
"""

# Builds before the change log have no such tables.
SEED_LOG = """
DO $$ BEGIN
    IF to_regclass('feeds') IS NOT NULL THEN
        TRUNCATE feeds, changes, trash;
        {log};
    END IF;
END $$;
"""

CLEAN_UP = """
VACUUM ANALYZE;
CHECKPOINT;
"""

# `least` assigns all remaining tasks to the user with the long list.
SEED_TASKS = """
INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                   is_completed, version, created_at, updated_at)
SELECT ('{prefix}' || {first_id} + n)::uuid, {first_user} + least(n / {tasks_per_user}, {users}),
       title, description, lower(title), lower(description), n % 4 = 0, 1,
       {at} + n * 1000000, {at} + n * 1000000
FROM generate_series(0::bigint, {tasks} - 1) AS n,
     LATERAL (SELECT 'Task ' || 100000 + n || ': water the plants' AS title,
                     '{description}' AS description) AS texts;
"""

ANY_USER = f"""
        \\set u random(0, :users - 1)
        \\set user {FIRST_USER} + :u
"""
ANY_TASK = f"""{ANY_USER}
        \\set id {FIRST_ID} + :u * :tasks_per_user + random(0, :kept - 1)
"""
IS_TASK = f"id = ('{id_prefix(SEED_MICROS)}' || :id)::uuid AND user_id = :user"
NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"

# The pgbench script of each cell, and its variables.
STATEMENTS = {
    "get": (f"""{ANY_TASK}
        SELECT {COLUMNS} FROM tasks WHERE {IS_TASK} LIMIT 1;
    """, {}),
    # One more row than the page has shows whether there is another page.
    "page": (f"""{ANY_USER}
        SELECT {OF_OWNER} FROM tasks WHERE user_id = :user {NEWEST_FIRST} LIMIT 21;
    """, {}),
    "changes": (f"""{ANY_USER}
        \\set after :tasks_per_user - {MISSED}
        {CHANGES.format(user=":user", after=":after").strip()};
    """, {}),
    "list": (f"""
        SELECT {OF_OWNER} FROM tasks WHERE user_id = :lister {NEWEST_FIRST};
    """, {}),
    # Ids increase with time, like those of the service.
    "create": (f"""{ANY_USER}
        \\set n :n + 1
        \\set id {FIRST_ID} + :n * :clients + :client_id
        \\set at {ADDED_MICROS} + :n
        INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                           is_completed, version, created_at, updated_at)
        VALUES (('{id_prefix(ADDED_MICROS)}' || :id)::uuid, :user, :title, :description,
                :title_folded, :description_folded, :completed, :version, :at, :at);
    """, {
        "n": "0",
        "title": "Task 100000: water the plants",
        "description": DESCRIPTION,
        "title_folded": "task 100000: water the plants",
        "description_folded": DESCRIPTION.lower(),
        "completed": "false",
        "version": "1",
    }),
    "complete": (f"""{ANY_TASK}
        \\set at :at + 1
        UPDATE tasks SET version = version + 1, is_completed = random() < 0.5,
               updated_at = CASE WHEN updated_at >= :at THEN updated_at + 1 ELSE :at END
        WHERE {IS_TASK} RETURNING {OF_OWNER};
    """, {"at": str(ADDED_MICROS)}),
    "delete": (f"""
        \\set deleted :deleted + 1
        \\set victim :deleted * :clients + :client_id
        \\set u :victim % :users
        \\set index :tasks_per_user - 1 - (:victim / :users) % :last
        \\set id {FIRST_ID} + :u * :tasks_per_user + :index
        \\set user {FIRST_USER} + :u
        DELETE FROM tasks WHERE {IS_TASK};
    """, {"deleted": "-1"}),
}


class SeededDatabase(PostgresDatabase):
    """A database with the seeded data."""

    def __init__(self, server, name, data):
        super().__init__(server, name)
        self.data = data
        self.is_modified = False

    def seed(self):
        self._fill(SEED_USERS)

    def reset(self):
        """Restores the seeded tasks, so that every measurement starts from the same data."""
        self._fill("TRUNCATE tasks;")

    def _fill(self, first):
        self.server.sql(self.name, (first + SEED_TASKS + SEED_LOG + CLEAN_UP).format(
            first_user=FIRST_USER, users=self.data.users, tasks=self.data.tasks,
            tasks_per_user=self.data.tasks_per_user, prefix=id_prefix(SEED_MICROS), first_id=FIRST_ID,
            at=SEED_MICROS, description=DESCRIPTION, log="; ".join(statements(self.data.tasks, days=1))))

    def cpu_seconds(self):
        """Returns the processor time of the database so far, outside of its client."""
        return self.server.cpu_seconds()

    def yardstick(self, cell, seconds, each=None):
        """Runs the statements of a cell for `seconds`, or `each` statements per client. Returns the number of
        statements, statements per second, and the processor time of the database within the client."""
        shares = MIX if cell.name == "mix" else {cell.name: 1}
        variables = {"users": self.data.users, "tasks_per_user": self.data.tasks_per_user,
                     "kept": self.data.kept(cell), "last": self.data.deleted(cell),
                     "lister": self.data.lister, "clients": cell.clients}
        scripts = []
        for name, share in shares.items():
            statement, needed = STATEMENTS[name]
            variables.update(needed)
            script = self.server.folder / f"{name}.sql"
            # A command of pgbench ends with the line, an SQL statement with a semicolon.
            script.write_text("\n".join(line.strip() for line in statement.strip().splitlines()))
            scripts += ["-f", f"{script}@{share}"]
        output = self.server.client(
            "pgbench", "-n", "-M", "prepared", "-c", cell.clients, "-j", min(2, cell.clients),
            *(["-t", each] if each else ["-T", seconds]), *scripts,
            *(f"-D{name}={value}" for name, value in variables.items()),
            self.name,
        )
        count = re.search(r"transactions actually processed: (\d+)", output)
        rate = re.search(r"tps = ([\d.]+) \(without initial", output)
        if not count or not rate:
            raise Failed(f"pgbench printed an unexpected report: {output}")
        return int(count[1]), float(rate[1]), 0.0
