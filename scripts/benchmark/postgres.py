"""PostgreSQL servers in temporary folders."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .processes import Failed, cpu_seconds, free_port, run


def programs():
    """Returns the folder with the programs of the newest installed PostgreSQL."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    versions = sorted(versions, key=lambda folder: -int(re.sub(r"\D", "", folder.parent.name) or 0))
    named = [Path(os.environ["PG_BIN_DIR"])] if os.environ.get("PG_BIN_DIR") else []
    on_path = [Path(folder) for folder in os.get_exec_path()]
    for folder in named + versions + on_path:
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "psql", "pgbench")):
            return folder
    raise Failed("initdb, pg_ctl, psql and pgbench are not in one folder; name it in PG_BIN_DIR")


class Postgres:
    """A server with its own data folder that syncs to disk as in production."""

    OPTIONS = {
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Neither vacuum nor checkpoints may start during a measurement.
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
        self.give_to_server(self.folder)
        self.create_data()
        settings = {**self.OPTIONS, "port": self.port, "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.folder / "log"
        try:
            self._run("pg_ctl", "start", "--wait", "--log", log, "--options", options)
        except Failed as problem:
            text = log.read_text(errors="replace") if log.exists() else "nothing"
            raise Failed(f"{problem}\nIts log ends with\n{text[-2000:]}") from problem
        self.pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def create_data(self):
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres",
                  "--encoding=UTF8", "--no-locale")

    def give_to_server(self, path):
        """Gives a file to the user of the server, which refuses to run as root."""
        if os.geteuid() == 0:
            shutil.chown(path, "postgres")

    def stop(self):
        if (self.folder / "data/postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def _run(self, program, *arguments):
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # A pipe would be inherited by the server and stay open until it exits.
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

    def create(self):
        self.server.sql("postgres", f"CREATE DATABASE {self.name};")
