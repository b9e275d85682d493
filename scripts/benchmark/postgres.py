"""PostgreSQL, and pgbench as the yardstick of the service on it."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cells import (ADDED_MICROS, COLUMNS, DESCRIPTION, FIRST_ID, FIRST_USER, KEPT_IN_MIX, MIX,
                    SEED_MICROS, TASKS, TASKS_PER_USER, USERS, id_prefix)
from .processes import Failed, cpu_seconds, free_port, run

THREADS, CLIENTS = 2, 16

SEED_TASKS = f"""
INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                   is_completed, version, created_at, updated_at)
SELECT ('{id_prefix(SEED_MICROS)}' || {FIRST_ID} + n)::uuid, {FIRST_USER} + n / {TASKS_PER_USER},
       title, description, lower(title), lower(description), n % 4 = 0, 1,
       {SEED_MICROS} + n * 1000000, {SEED_MICROS} + n * 1000000
FROM generate_series(0::bigint, {TASKS - 1}) AS n,
     LATERAL (SELECT 'Task ' || 100000 + n || ': water the plants' AS title,
                     '{DESCRIPTION}' AS description) AS texts;

VACUUM ANALYZE;
CHECKPOINT;
"""

SEED = f"""
INSERT INTO users (id, is_active, created_at, updated_at)
SELECT {FIRST_USER} + u, true, {SEED_MICROS}, {SEED_MICROS} FROM generate_series(0, {USERS - 1}) AS u;

{SEED_TASKS}"""

TAKE_BACK = f"""
TRUNCATE tasks;
{SEED_TASKS}"""

ANY_TASK = f"""
        \\set u random(0, {USERS - 1})
        \\set id {FIRST_ID} + :u * {TASKS_PER_USER} + random(0, :kept - 1)
        \\set user {FIRST_USER} + :u
"""
THAT_TASK = f"id = ('{id_prefix(SEED_MICROS)}' || :id)::uuid AND user_id = :user"

# pgbench's script of each cell, and its variables.
STATEMENTS = {
    "get": (f"""{ANY_TASK}
        SELECT {COLUMNS} FROM tasks WHERE {THAT_TASK} LIMIT 1;
    """, {}),
    # One more than asked for tells whether there is more.
    "page": (f"""
        \\set user random({FIRST_USER}, {FIRST_USER + USERS - 1})
        SELECT {COLUMNS} FROM tasks WHERE user_id = :user
        ORDER BY created_at DESC, id DESC LIMIT 21;
    """, {}),
    # Ids grow with time, as those of the service do.
    "create": (f"""
        \\set n :n + 1
        \\set id {FIRST_ID} + :n * {CLIENTS} + :client_id
        \\set user random({FIRST_USER}, {FIRST_USER + USERS - 1})
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
        WHERE {THAT_TASK} RETURNING {COLUMNS};
    """, {"at": str(ADDED_MICROS)}),
    "delete": (f"""
        \\set deleted :deleted + 1
        \\set victim :deleted * {CLIENTS} + :client_id
        \\set u :victim % {USERS}
        \\set id {FIRST_ID} + :u * {TASKS_PER_USER} + {TASKS_PER_USER - 1} - (:victim / {USERS}) % {TASKS_PER_USER}
        \\set user {FIRST_USER} + :u
        DELETE FROM tasks WHERE {THAT_TASK};
    """, {"deleted": "-1"}),
}


def programs():
    """The folder of PostgreSQL's programs, the highest version of those installed."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    versions = sorted(versions, key=lambda folder: -int(re.sub(r"\D", "", folder.parent.name) or 0))
    named = [Path(os.environ["PG_BIN_DIR"])] if os.environ.get("PG_BIN_DIR") else []
    on_path = [Path(folder) for folder in os.get_exec_path()]
    for folder in named + versions + on_path:
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "psql", "pgbench")):
            return folder
    raise Failed("initdb, pg_ctl, psql and pgbench are not in one folder; name it in PG_BIN_DIR")


class Postgres:
    """A server with data of its own that syncs to disk as it does in production."""

    OPTIONS = {
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Neither may begin by itself in the midst of a measurement.
        "autovacuum": "off",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "1h",
    }

    def __init__(self, folder):
        self.programs = programs()
        self.folder = folder / "postgres"
        self.port = free_port()
        self.pid = None

    def start(self):
        self.folder.mkdir()
        self.give(self.folder)
        self.make_data()
        settings = {**self.OPTIONS, "port": self.port, "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.folder / "log"
        try:
            self._run("pg_ctl", "start", "--wait", "--log", log, "--options", options)
        except Failed as problem:
            said = log.read_text(errors="replace") if log.exists() else "nothing"
            raise Failed(f"{problem}\nIts log ends with\n{said[-2000:]}") from problem
        self.pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def make_data(self):
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres",
                  "--encoding=UTF8", "--no-locale")

    def give(self, path):
        """The server refuses to run as root, so what root makes must be given to it."""
        if os.geteuid() == 0:
            shutil.chown(path, "postgres")

    def stop(self):
        if (self.folder / "data/postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def _run(self, program, *arguments):
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # Not into pipes: the server inherits them, and they would not end before it does.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [*user, str(self.programs / program), *map(str, arguments)],
                cwd=self.folder, env={**os.environ, "PGDATA": str(self.folder / "data")},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
            if done.returncode != 0:
                output.seek(0)
                raise Failed(f"{program} failed: {output.read().decode(errors='replace').strip()}")

    def client(self, program, *arguments):
        return run([self.programs / program, "-h", "127.0.0.1", "-p", self.port, "-U", "postgres",
                    *arguments])

    def sql(self, database, statements):
        script = self.folder / "script.sql"
        script.write_text(statements)
        return self.client("psql", "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-f", script,
                           database)

    def version(self):
        return self.sql("postgres", "SHOW server_version;").split()[0]

    def cpu_seconds(self):
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return cpu_seconds(self.pid, with_dead_children=True) + sum(map(cpu_seconds, children))


class PostgresDatabase:
    """A database of a server."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.url = f"postgres://postgres@127.0.0.1:{server.port}/{name}"
        self.was_written = False

    def create(self):
        self.server.sql("postgres", f"CREATE DATABASE {self.name};")

    def seed(self):
        self.server.sql(self.name, SEED)

    def take_back(self):
        """Takes back what a cell wrote, so that every measurement starts from the same data."""
        self.server.sql(self.name, TAKE_BACK)

    def cpu_seconds(self):
        """What the database has used so far, outside of the program that asks it."""
        return self.server.cpu_seconds()

    def yardstick(self, cell, seconds):
        """Statements, statements a second, and what the database used within the asking program."""
        shares = MIX if cell.name == "mix" else {cell.name: 1}
        variables = {"kept": KEPT_IN_MIX if cell.name == "mix" else TASKS_PER_USER}
        scripts = []
        for name, share in shares.items():
            statement, needed = STATEMENTS[name]
            variables.update(needed)
            script = self.server.folder / f"{name}.sql"
            # A line ends pgbench's own commands, a semicolon those of SQL.
            script.write_text("\n".join(line.strip() for line in statement.strip().splitlines()))
            scripts += ["-f", f"{script}@{share}"]
        output = self.server.client(
            "pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", THREADS, "-T", seconds,
            *scripts, *(f"-D{name}={value}" for name, value in variables.items()), self.name,
        )
        count = re.search(r"transactions actually processed: (\d+)", output)
        rate = re.search(r"tps = ([\d.]+) \(without initial", output)
        if not count or not rate:
            raise Failed(f"pgbench said something else than usual: {output}")
        return int(count[1]), float(rate[1]), 0.0
