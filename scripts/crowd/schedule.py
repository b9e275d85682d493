"""What each user does, and when."""

import random
from dataclasses import dataclass

# The shares in hundredths. As many are created as deleted, so the users keep about as many.
SHARES = {"page": 40, "get": 20, "create": 10, "edit": 10, "complete": 10, "delete": 10}


@dataclass(frozen=True)
class Plan:
    """The requests of all users together come at this rate, for so long."""

    users: int
    rate: float
    seconds: float

    @property
    def interval(self):
        """Of one user, from one request to the next in the mean."""
        return self.users / self.rate

    @property
    def requests_per_user(self):
        return int(self.seconds / self.interval + 1e-9)

    def of(self, user):
        """When each request of a user is due, in seconds from the start, and what it does: one within each
        interval, so the user thinks for up to two of them. The same user always does the same."""
        chance = random.Random(user)
        names, shares = list(SHARES), list(SHARES.values())
        for number in range(self.requests_per_user):
            due = (number + chance.random()) * self.interval
            yield due, chance.choices(names, shares)[0]
