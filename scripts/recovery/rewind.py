"""A PostgreSQL server goes back to just before a mistake: a base backup, and all that was written since."""

import time
from dataclasses import dataclass

from benchmark.processes import Failed

from .stores import Database, Server
from .writers import Writers

PATIENCE_SECONDS = 300
MISTAKE = "DELETE FROM tasks;"
# All rows of all columns, in whatever order they are read.
FINGERPRINT = "SELECT count(*), sum(hashtextextended(task::text, 0)) FROM tasks AS task;"


class Archiving(Server):
    """A server that keeps all that is ever written into it."""

    def __init__(self, folder, archive):
        folder.mkdir()
        super().__init__(folder)
        self.archive = archive

    def make_data(self):
        super().make_data()
        self.archive.mkdir()
        self.give(self.archive)
        self.configure({
            "archive_mode": "on",
            # Under its name only once it is whole; what is there is never overwritten.
            "archive_command": f"to={self.archive}/%f; cmp -s %p $to || {{ test ! -e $to && "
                               "cp %p $to.part && sync $to.part && mv $to.part $to; }",
        })

    def back_up(self, base):
        base.mkdir(mode=0o700)
        self.give(base)
        self._run("pg_basebackup", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres",
                  "--checkpoint=fast", f"--pgdata={base}")

    def finish_archive(self):
        """Has the last of what was written archived as well. In a statement of its own: within the
        transaction of a change it would come before the commit."""
        last = self.sql("postgres", "SELECT pg_walfile_name(pg_switch_wal());").strip()
        wait_until(lambda: (self.archive / last).exists(), f"{last} is not archived")


class Recovered(Archiving):
    """A server that begins as a base backup and goes on until a moment."""

    def __init__(self, folder, archive, base, moment):
        super().__init__(folder, archive)
        self.base, self.moment = base, moment

    def make_data(self):
        self._run("/bin/cp", "-a", self.base, self.folder / "data")
        self.configure({
            "restore_command": f"cp {self.archive}/%f %p",
            "recovery_target_time": self.moment,
            "recovery_target_action": "promote",
        })
        signal = self.folder / "data/recovery.signal"
        signal.touch()
        self.give(signal)

    def start(self):
        super().start()
        wait_until(lambda: self.sql("postgres", "SELECT pg_is_in_recovery();").strip() == "f",
                   "the recovery does not end")


@dataclass
class Rewound:
    """What came of it."""

    base_backup_seconds: float
    writes: int
    deleted: int
    # From the mistake on: until the server is promoted, and until the service on it is ready.
    promoted_seconds: float
    served_seconds: float


def drill(folder, undo, make_program, options, secret):
    archive, base = folder / "archive", folder / "base"
    server = Archiving(folder / "first", archive)
    undo.callback(server.stop)
    server.start()
    database = Database(server, "taskhold")
    database.create()
    program = make_program(database.url)
    undo.callback(program.kill)
    program.run("migrate", "up")
    database.seed(options.size)

    started = time.monotonic()
    server.back_up(base)
    base_backup_seconds = time.monotonic() - started
    program.serve()
    writers = Writers(options.writers, program, secret, options.size).start()
    time.sleep(options.seconds)
    writes = writers.stop()

    before = server.sql(database.name, FINGERPRINT)
    moment = server.sql(database.name, "SELECT clock_timestamp();").strip()
    server.sql(database.name, MISTAKE)
    started = time.monotonic()
    if server.sql(database.name, FINGERPRINT).split("|")[0] != "0":
        raise Failed("the mistake left tasks")
    program.kill()
    server.finish_archive()
    server.stop()

    recovered = Recovered(folder / "second", archive, base, moment)
    undo.callback(recovered.stop)
    recovered.start()
    promoted = time.monotonic() - started
    database = Database(recovered, database.name)
    program = make_program(database.url)
    undo.callback(program.kill)
    program.serve()
    served = time.monotonic() - started
    after = recovered.sql(database.name, FINGERPRINT)
    if after != before:
        raise Failed(f"the tasks are not what they were at {moment}: {after} instead of {before} "
                     "(their count, and a digest)")
    program.kill()
    recovered.stop()
    return Rewound(base_backup_seconds, len(writes), int(before.split("|")[0]), promoted, served)


def wait_until(holds, otherwise):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"{otherwise} within {PATIENCE_SECONDS} s")
        time.sleep(0.02)
