"""The change log of seeded tasks: a counter for each owner, and a change for each task, its creation."""

import base64
import hashlib
import struct
import time

from .cells import OF_OWNER, SEED_MICROS

DAY_MICROS = 86_400_000_000
EPOCH = 1
# The number of changes after the cursor of each client.
MISSED = 20

# Reads the state of the log, the next changes and their tasks, as the service does. One more row than the page has
# shows whether there is another page.
CHANGES = f"""
SELECT feeds.epoch, feeds.seq, feeds.floor, latest.seq, latest.task_id, {OF_OWNER}
FROM feeds LEFT JOIN (
    SELECT user_id, seq, task_id FROM changes
    WHERE user_id = {{user}} AND seq > {{after}} AND NOT EXISTS (
        SELECT 1 FROM changes AS later
        WHERE later.task_id = changes.task_id AND later.seq > changes.seq AND later.user_id = changes.user_id)
    ORDER BY seq LIMIT {MISSED + 1}) AS latest ON latest.user_id = feeds.user_id
LEFT JOIN tasks ON tasks.id = latest.task_id AND tasks.user_id = latest.user_id
WHERE feeds.user_id = {{user}} ORDER BY latest.seq
"""


def statements(tasks, days):
    """Returns the statements that write the log of all seeded tasks: one change after the other, in the last days.
    Each store executes them. Older changes would be deleted by the service."""
    first, every = time.time_ns() // 1000 - days * DAY_MICROS, days * DAY_MICROS // tasks
    return [
        "INSERT INTO feeds (user_id, seq, floor, epoch) "
        f"SELECT user_id, count(*), 0, {EPOCH} FROM tasks GROUP BY user_id",
        'INSERT INTO changes (user_id, seq, task_id, kind, "before", "at", "by") '
        "SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY id), id, 'created', '{}', "
        f"{first} + (created_at - {SEED_MICROS}) / 1000000 * {every}, 'session' FROM tasks",
    ]


def cursor(user, tasks):
    """Returns the cursor of a user with so many tasks who has missed the last changes, as the service writes it."""
    content = struct.pack(">qq", EPOCH, tasks - MISSED)
    parts = (str(user).encode(), b"changes", content)
    digest = hashlib.sha256(b"".join(struct.pack(">Q", len(part)) + part for part in parts)).digest()[:16]
    return base64.urlsafe_b64encode(digest + content).rstrip(b"=").decode()
