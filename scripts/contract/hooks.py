"""What Schemathesis cannot learn about the API from its document."""

import itertools
import os
import random
import re
import subprocess
import uuid
from collections import deque

import schemathesis
from schemathesis.openapi.checks import UseAfterFree

# Operations that revoke the tokens of the user: each request uses another user.
REVOKING = {"logOut", "deleteAccount"}

# The schemas of these headers have no pattern, since programs would send a value made of it with every request.
CONDITIONS = ("If-Match", "If-None-Match")
TAGS = re.compile(r'\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*')

TASK_MEMBERS = {"title", "description", "completed", "due", "priority", "tags", "repeat", "repeat_from"}

DUE_DATES = ["2028-02-29", "2026-12-01T09:00:00+01:00[Europe/Berlin]", "0001-01-01T00:00:00Z"]

RULES = ["FREQ=DAILY", "freq=weekly;byday=MO,FR;count=3", "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20291231"]

ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"]

# Whose answers have the cursors that an operation takes.
CURSORS = {
    "readChanges": "readChanges", "streamChanges": "readChanges", "readHistory": "readHistory",
    "listTrash": "listTrash",
}

numbers = itertools.count()
# The last cursor of each operation, the last changes, and the tasks in the trash.
cursors, changes, deleted = {}, deque(maxlen=8), []
# The tasks that a restore or an undo may have taken out of the trash.
restored = set()


def name(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """Tokens from `taskhold token`, with the settings of the service."""

    def __init__(self):
        self.own = None

    def get(self, case, context):
        if name(case) in REVOKING:
            return self.token(f"passing-{next(numbers)}")
        if self.own is None:
            self.own = self.token("somebody")
        return self.own

    def set(self, case, token, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {token}"

    def token(self, user):
        command = [os.environ["TASKHOLD"], "token", "--user", user, "--minutes", "1440"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Makes requests that are meant to be valid keep the rules that the schemas do not describe."""
    headers = case.headers or {}
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    # Schemathesis would reuse a key for another request, which the service refuses.
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and (is_valid or re.fullmatch("[!-~]{1,255}", key)):
        headers["Idempotency-Key"] = str(uuid.uuid4())
    zone = (case.query or {}).get("timezone")
    if isinstance(zone, str) and (is_valid or re.fullmatch("[A-Za-z][A-Za-z0-9_+/-]*", zone)):
        case.query["timezone"] = random.choice(ZONES)
    if not is_valid:
        return
    for condition in CONDITIONS:
        if condition in headers and not TAGS.fullmatch(str(headers[condition])):
            headers[condition] = "*"
    # It has one value, with which the token is in a cookie.
    headers.pop("Taskhold-Page", None)
    # A patch needs a known member.
    if name(case) == "patchTask" and isinstance(case.body, dict):
        if not TASK_MEMBERS & case.body.keys():
            case.body["completed"] = True
    # A move has one destination.
    if name(case) == "moveTask" and isinstance(case.body, dict):
        # Schemathesis takes an empty text for an id.
        if len({"before", "after"} & case.body.keys()) != 1 or "" in case.body.values():
            case.body = {"after": None}
    # Its name is printable, and none of other authors.
    if name(case) == "issueToken" and isinstance(case.body, dict):
        case.body["name"] = "laptop"
    if name(case) == "quickAddTask" and isinstance(case.body, dict):
        case.body["text"] = "Pay rent tomorrow every month #home !high"
        if case.body.get("timezone") is not None:
            case.body["timezone"] = random.choice(ZONES)
    elif isinstance(case.body, dict):
        keep_rules_of_details(case.body)
    use_answers(case)


def keep_rules_of_details(task):
    """Gives a task a due date of the calendar, a rule with a due date, and no more tags than it may have."""
    if isinstance(task.get("repeat"), str):
        task["repeat"] = random.choice(RULES)
        task["due"] = task.get("due") or DUE_DATES[0]
    elif task.get("due", "") is None:
        # The task may repeat.
        task["repeat"] = None
    if isinstance(task.get("due"), str):
        task["due"] = random.choice(DUE_DATES)
    if isinstance(task.get("tags"), list):
        task["tags"] = task["tags"][:20]


def use_answers(case):
    """Replaces values that only an earlier answer tells."""
    if name(case) in CURSORS:
        cursor = cursors.get(CURSORS[name(case)])
        for place, parameter in ((case.query, "cursor"), (case.headers, "Last-Event-ID")):
            if place and place.pop(parameter, None) is not None and cursor is not None:
                place[parameter] = cursor
    elif name(case) == "undoChange" and changes:
        case.path_parameters["seq"] = random.choice(changes)
    elif name(case) in ("restoreTask", "purgeTask") and deleted:
        case.path_parameters["id"] = deleted.pop()


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what later requests need."""
    # Some requests have another method than the operation.
    if case.method.upper() != case.operation.method.upper() or response.status_code not in (200, 201, 204):
        return
    if "change-seq" in response.headers:
        changes.append(int(response.headers["change-seq"][0]))
    if name(case) == "deleteTask":
        deleted.append(case.path_parameters["id"])
    elif name(case) == "emptyTrash":
        deleted.clear()
    elif name(case) in ("undoChange", "restoreTask"):
        restored.add(response.json()["task"]["id"])
    if name(case) in CURSORS.values():
        body = response.json()
        cursors[name(case)] = body.get("cursor") or body.get("next_cursor") or cursors.get(name(case))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops failures of a check that takes every deletion for the end of a task."""
    return not isinstance(failure, UseAfterFree) or case.path_parameters.get("id") not in restored
