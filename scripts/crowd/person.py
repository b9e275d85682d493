"""A user with tasks, who does one thing after the other."""

import json
import random

TASKS = "/api/v1/tasks"


class Person:
    """Knows the ids of the tasks that are there, so that nothing is asked for that is not."""

    # What each deed is: those of a kind share a limit.
    KINDS = {"page": "read", "get": "read", "create": "create", "edit": "update", "complete": "update",
             "delete": "delete"}

    def __init__(self, wire, number, ids):
        self.wire, self.ids = wire, ids
        self.chance = random.Random(f"person {number}")

    def does(self, deed):
        """Sends one request; what went wrong, or nothing."""
        return getattr(self, deed)()

    def page(self):
        return self._ask(200, "GET", f"{TASKS}?limit=20")

    def get(self):
        return self._ask(200, "GET", f"{TASKS}/{self._any()}")

    def create(self):
        return self._ask(201, "POST", TASKS, self._texts(), self._remember)

    def edit(self):
        return self._ask(200, "PUT", f"{TASKS}/{self._any()}", self._texts())

    def complete(self):
        return self._ask(200, "PATCH", f"{TASKS}/{self._any()}/complete", {"completed": self.chance.random() < 0.5})

    def delete(self):
        # The last one takes the place of the one that goes.
        place = self.chance.randrange(len(self.ids))
        self.ids[place], self.ids[-1] = self.ids[-1], self.ids[place]
        return self._ask(204, "DELETE", f"{TASKS}/{self.ids.pop()}")

    def _any(self):
        return self.chance.choice(self.ids)

    def _texts(self):
        return {"title": f"Task {self.chance.randrange(1_000_000)}: water the plants",
                "description": "Twice a week, those on the balcony too."}

    def _remember(self, answer):
        self.ids.append(json.loads(answer)["task"]["id"])

    def _ask(self, expected, method, path, body=None, then=None):
        try:
            status, answer = self.wire.ask(method, path, None if body is None else json.dumps(body))
        except OSError as problem:
            return type(problem).__name__
        if status != expected:
            return f"status {status}"
        if then is not None:
            then(answer)
        return None
