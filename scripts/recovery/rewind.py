"""Recovers a PostgreSQL server to just before a mistake, from a base backup and archived WAL."""

import time
from dataclasses import dataclass

from benchmark.processes import Failed

from .stores import Database, Server
from .writers import Writers

TIMEOUT_SECONDS = 300
MISTAKE = "DELETE FROM tasks;"
# A digest of all rows and columns that does not depend on the order of the rows.
FINGERPRINT = "SELECT count(*), sum(hashtextextended(task::text, 0)) FROM tasks AS task;"


class Archiving(Server):
    """A server that archives its WAL."""

    def __init__(self, folder, archive):
        folder.mkdir()
        super().__init__(folder)
        self.archive = archive

    def create_data(self):
        super().create_data()
        self.archive.mkdir()
        self.give_to_server(self.archive)
        self.configure({
            "archive_mode": "on",
            # A file gets its final name only when complete, and is never overwritten.
            "archive_command": f"to={self.archive}/%f; cmp -s %p $to || {{ test ! -e $to && "
                               "cp %p $to.part && sync $to.part && mv $to.part $to; }",
        })

    def back_up(self, base):
        base.mkdir(mode=0o700)
        self.give_to_server(base)
        self._run("pg_basebackup", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres",
                  "--checkpoint=fast", f"--pgdata={base}")

    def finish_archive(self):
        """Archives the last WAL file. The switch is a separate statement: within the transaction of a change it would
        precede the commit."""
        last = self.sql("postgres", "SELECT pg_walfile_name(pg_switch_wal());").strip()
        wait_until(lambda: (self.archive / last).exists(), f"{last} is not archived")


class Recovered(Archiving):
    """A server that is recovered from a base backup up to a point in time."""

    def __init__(self, folder, archive, base, moment):
        super().__init__(folder, archive)
        self.base, self.moment = base, moment

    def create_data(self):
        self._run("/bin/cp", "-a", self.base, self.folder / "data")
        self.configure({
            "restore_command": f"cp {self.archive}/%f %p",
            "recovery_target_time": self.moment,
            "recovery_target_action": "promote",
        })
        signal = self.folder / "data/recovery.signal"
        signal.touch()
        self.give_to_server(signal)

    def start(self):
        super().start()
        wait_until(lambda: self.sql("postgres", "SELECT pg_is_in_recovery();").strip() == "f",
                   "the recovery does not end")


@dataclass
class RewindResult:
    """The results of the drill."""

    base_backup_seconds: float
    writes: int
    deleted: int
    # The times from the mistake until the server is promoted, and until the service is ready.
    promoted_seconds: float
    served_seconds: float


def drill(folder, cleanup, make_program, options, secret):
    archive, base = folder / "archive", folder / "base"
    server = Archiving(folder / "first", archive)
    cleanup.callback(server.stop)
    server.start()
    database = Database(server, "taskhold")
    database.create()
    program = make_program(database.url)
    cleanup.callback(program.kill)
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
    cleanup.callback(recovered.stop)
    recovered.start()
    promoted = time.monotonic() - started
    database = Database(recovered, database.name)
    program = make_program(database.url)
    cleanup.callback(program.kill)
    program.serve()
    served = time.monotonic() - started
    after = recovered.sql(database.name, FINGERPRINT)
    if after != before:
        raise Failed(f"the tasks are not what they were at {moment}: {after} instead of {before} "
                     "(their count, and a digest)")
    program.kill()
    recovered.stop()
    return RewindResult(base_backup_seconds, len(writes), int(before.split("|")[0]), promoted, served)


def wait_until(holds, otherwise):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"{otherwise} within {TIMEOUT_SECONDS} s")
        time.sleep(0.02)
