"""The size of the tables, the deletion of expired changes, and the last migration."""

import time

from benchmark.log import DAY_MICROS
from benchmark.processes import Failed

from .tables import DAYS

TABLES = ("tasks", "feeds", "changes", "trash")
# So many of the days of the log have expired when housekeeping runs.
EXPIRED_DAYS = 3
LIMIT_SECONDS = 600


def sizes(store):
    """Returns the rows of a report of the tables."""
    rows = [["table", "rows", "MiB", "bytes a row"]]
    for table in TABLES:
        count, size = int(store.query(f"SELECT count(*) FROM {table}")[0][0]), store.bytes(table)
        rows.append([table, f"{count:,}", f"{size / 1024 ** 2:.1f}", f"{size / max(1, count):.0f}"])
    return rows


def purge(store, program):
    """Starts the program with a shorter history. Returns how many changes it deletes, and in how many seconds."""
    program.environment["TASKHOLD__TASKS__HISTORY_DAYS"] = str(DAYS - EXPIRED_DAYS)
    [[before]] = store.query("SELECT count(*) FROM changes")
    end = time.time_ns() // 1000 - (DAYS - EXPIRED_DAYS) * DAY_MICROS
    [[user, seq]] = store.query(
        f'SELECT user_id, seq FROM changes WHERE "at" < {end} ORDER BY "at" DESC LIMIT 1')
    # The last one to expire; its key finds it fast.
    last = f"SELECT 1 FROM changes WHERE user_id = '{user}' AND seq = {seq}"
    started = time.monotonic()
    program.serve()
    while store.query(last):
        if time.monotonic() > started + LIMIT_SECONDS:
            raise Failed("expired changes are not deleted")
        time.sleep(0.05)
    seconds = time.monotonic() - started
    program.stop()
    [[after]] = store.query("SELECT count(*) FROM changes")
    return int(before) - int(after), seconds


def migration(program):
    """Reverts the last migration and applies it again. Returns the seconds of both."""
    seconds = []
    for arguments in (["down", "--yes"], ["up"]):
        started = time.monotonic()
        program.run("migrate", *arguments)
        seconds.append(time.monotonic() - started)
    return seconds
