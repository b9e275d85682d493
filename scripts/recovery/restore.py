"""Destroys a store during writes, and restores it from a backup."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.cells import FIRST_USER
from benchmark.processes import Failed
from benchmark.service import token

from .comparison import compare
from .program import CommandResult
from .writers import Writers

# The limits: the age of lost writes, and the time until the service is ready again.
RPO_HOURS, RTO_HOURS = 24, 1
# The tables whose rows a restore must not change; it only adds revocations.
UNCHANGED = ("users", "tasks", "idempotency_keys", "imports", "seaql_migrations")


@dataclass
class RestoreResult:
    """The results of the drill."""

    backup: CommandResult
    verify: CommandResult
    restore: CommandResult
    backup_mb: float
    tasks: int
    rto_seconds: float
    rpo_seconds: float
    writes: int
    # The writes acknowledged before the backup, and the lost writes.
    kept: int
    lost: int

    def is_within_limits(self):
        return self.rto_seconds < RTO_HOURS * 3600 and self.rpo_seconds < RPO_HOURS * 3600


def drill(store, program, options, secret):
    store.create()
    program.run("migrate", "up")
    store.seed(options.size)
    program.serve()
    old_token = token(secret, str(FIRST_USER))
    writers = Writers(options.writers, program, secret, options.size).start()
    time.sleep(options.seconds)
    backup = program.run("backup")
    manifest = read_manifest(backup)
    verify = program.run("backup", "verify")
    time.sleep(options.seconds)
    writes = writers.stop()

    destroyed = time.monotonic()
    program.kill()
    store.destroy()
    store.prepare_restore()
    restore = program.run("restore", folder_of(backup))
    program.serve()
    rto = time.monotonic() - destroyed

    expect(program, 200, new_token(secret))
    expect(program, 401, old_token)
    taken_at = manifest["taken_at"] / 1e6
    again = read_manifest(program.run("backup"))
    different = [table for table in UNCHANGED if again["tables"][table] != manifest["tables"][table]]
    if different:
        raise Failed(f"restored were other rows of {', '.join(different)} than the manifest says")
    titles = store.titles()
    tasks = manifest["tables"]["tasks"]["rows"]
    if len(titles) != tasks:
        raise Failed(f"restored were {len(titles)} tasks instead of {tasks}")
    lost = compare(titles, writes, options.size, taken_at)
    program.kill()
    return RestoreResult(
        backup, verify, restore, backup_mb=manifest["bytes"] / 1e6, tasks=tasks, rto_seconds=rto,
        rpo_seconds=max(0.0, writes[-1].at - taken_at), writes=len(writes),
        kept=sum(write.at < taken_at for write in writes), lost=lost)


def folder_of(backup):
    return Path(backup.output.splitlines()[0])


def read_manifest(backup):
    return json.loads((folder_of(backup) / "manifest.json").read_text())["manifest"]


def new_token(secret):
    """Returns a token issued after the restore. Its issue time is in whole seconds, so waits for the next second."""
    time.sleep(1 - time.time() % 1)
    return token(secret, str(FIRST_USER))


def expect(program, status, bearer):
    received, body = program.get("/api/v1/tasks?limit=1", bearer)
    if received != status:
        raise Failed(f"the restored service answers {received} instead of {status}: {body}")
