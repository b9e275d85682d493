"""A user with tasks who sends one request at a time."""

import json
import random

TASKS = "/api/v1/tasks"


class Person:
    """Keeps track of the ids of existing tasks, so that no request is for a missing task."""

    # The kind of each operation; operations of a kind share a limit.
    KINDS = {"page": "read", "get": "read", "create": "create", "edit": "update", "complete": "update",
             "delete": "delete"}

    def __init__(self, connection, number, ids):
        self.connection, self.ids = connection, ids
        self.rng = random.Random(f"person {number}")

    def perform(self, operation):
        """Sends one request. Returns the problem, or None."""
        return getattr(self, operation)()

    def page(self):
        return self._request(200, "GET", f"{TASKS}?limit=20")

    def get(self):
        return self._request(200, "GET", f"{TASKS}/{self._any()}")

    def create(self):
        return self._request(201, "POST", TASKS, self._texts(), self._remember)

    def edit(self):
        return self._request(200, "PUT", f"{TASKS}/{self._any()}", self._texts())

    def complete(self):
        return self._request(200, "PATCH", f"{TASKS}/{self._any()}/complete", {"completed": self.rng.random() < 0.5})

    def delete(self):
        # Move the last id to the place of the deleted one.
        place = self.rng.randrange(len(self.ids))
        self.ids[place], self.ids[-1] = self.ids[-1], self.ids[place]
        return self._request(204, "DELETE", f"{TASKS}/{self.ids.pop()}")

    def _any(self):
        return self.rng.choice(self.ids)

    def _texts(self):
        return {"title": f"Task {self.rng.randrange(1_000_000)}: water the plants",
                "description": "Twice a week, those on the balcony too."}

    def _remember(self, answer):
        self.ids.append(json.loads(answer)["task"]["id"])

    def _request(self, expected, method, path, body=None, then=None):
        try:
            status, answer = self.connection.request(method, path, None if body is None else json.dumps(body))
        except OSError as problem:
            return type(problem).__name__
        if status != expected:
            return f"status {status}"
        if then is not None:
            then(answer)
        return None
