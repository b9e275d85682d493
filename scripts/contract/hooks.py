"""What Schemathesis cannot know of the API from its document."""

import itertools
import os
import re
import subprocess
import uuid

import schemathesis

# They end the tokens of whoever asks: each request of them is another user's.
ENDING = {"logOut", "deleteAccount"}

# Schemathesis draws these by rules of its own, which know no list that a schema's pattern describes.
CONDITIONS = ("If-Match", "If-None-Match")
TAGS = re.compile(r'\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*')

numbers = itertools.count()


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """Tokens of `taskhold token`, in the environment of the service."""

    def __init__(self):
        self.own = None

    def get(self, case, context):
        if case.operation.definition.raw.get("operationId") in ENDING:
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
    """Makes sound what is meant to be."""
    headers = case.headers or {}
    # It stands for one request. Used for another, as Schemathesis would, it is refused.
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.meta is not None and case.meta.generation.mode.is_positive:
        for name in CONDITIONS:
            if name in headers and not TAGS.fullmatch(str(headers[name])):
                headers[name] = "*"
