"""What Schemathesis cannot learn about the API from its document."""

import itertools
import os
import re
import subprocess
import uuid

import schemathesis

# Operations that revoke the tokens of the user: each request uses another user.
REVOKING = {"logOut", "deleteAccount"}

# The schemas of these headers have no pattern, since programs would send a value made of it with every request.
CONDITIONS = ("If-Match", "If-None-Match")
TAGS = re.compile(r'\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*')

TASK_MEMBERS = {"title", "description", "completed"}

numbers = itertools.count()


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """Tokens from `taskhold token`, with the settings of the service."""

    def __init__(self):
        self.own = None

    def get(self, case, context):
        if case.operation.definition.raw.get("operationId") in REVOKING:
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
    if not is_valid:
        return
    for name in CONDITIONS:
        if name in headers and not TAGS.fullmatch(str(headers[name])):
            headers[name] = "*"
    # A patch needs a known member.
    if case.operation.definition.raw.get("operationId") == "patchTask" and isinstance(case.body, dict):
        if not TASK_MEMBERS & case.body.keys():
            case.body["completed"] = True
