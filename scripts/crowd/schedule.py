"""The operations of each user, and their times."""

import random
from dataclasses import dataclass

# The shares in percent. As many tasks are created as deleted, so their number stays about the same.
SHARES = {"page": 40, "get": 20, "create": 10, "edit": 10, "complete": 10, "delete": 10}


@dataclass(frozen=True)
class Plan:
    """The number of users, the rate of all their requests together, and the duration."""

    users: int
    rate: float
    seconds: float

    @property
    def interval(self):
        """The mean time between two requests of a user, in seconds."""
        return self.users / self.rate

    @property
    def requests_per_user(self):
        return int(self.seconds / self.interval + 1e-9)

    def of(self, user):
        """Yields the due time, in seconds from the start, and the operation of each request of a user. There is one
        request in each interval, so two are up to two intervals apart. The same user always gets the same plan."""
        rng = random.Random(user)
        names, shares = list(SHARES), list(SHARES.values())
        for number in range(self.requests_per_user):
            due = (number + rng.random()) * self.interval
            yield due, rng.choices(names, shares)[0]
