"""The measured requests and the seeded data, the same on both stores."""

from dataclasses import dataclass
from typing import Optional

# The id of the first user; the other users have the following ids.
FIRST_USER = 1000

# Task number n has the id PREFIX and 100000000000 + n: a version 7 UUID whose last twelve digits
# are decimal, so that pgbench, which has only integers, can compute it.
FIRST_ID = 100_000_000_000
# Seeded tasks are from 2020, those of a yardstick from 2021, and those of the service from today.
SEED_MICROS = 1_577_836_800_000_000
ADDED_MICROS = 1_609_459_200_000_000

DESCRIPTION = "Twice a week, those on the balcony too."
# The shares of the mix, in percent.
MIX = {"get": 50, "page": 20, "create": 10, "complete": 15, "delete": 5}

# The columns that a read of a task selects.
COLUMNS = "id, user_id, title, description, is_completed, version, created_at, updated_at"
# The columns that a list and a change select, since the owner is known.
OF_OWNER = "id, title, description, is_completed, version, created_at, updated_at"


def id_prefix(micros):
    instant = f"{micros // 1000:012x}"
    return f"{instant[:8]}-{instant[8:]}-7000-8000-"


@dataclass(frozen=True)
class Data:
    """The number of users and tasks: many users with equally many tasks, and one with a long list."""

    users: int = 200
    tasks_per_user: int = 1000
    listed: int = 10_000

    @property
    def tasks(self):
        """The number of tasks. Tasks of the user with the long list are numbered last."""
        return self.users * self.tasks_per_user + self.listed

    @property
    def lister(self):
        """The id of the user with the long list."""
        return FIRST_USER + self.users

    def owner(self, number):
        """Returns the owner of a task."""
        return FIRST_USER + min(number // self.tasks_per_user, self.users)

    def tasks_of(self, user):
        return self.listed if user == self.lister else self.tasks_per_user

    def deleted(self, cell):
        """Returns how many of the last tasks of each user a cell may delete."""
        return self.tasks_per_user // 10 if cell.name == "mix" else self.tasks_per_user

    def kept(self, cell):
        """Returns how many of the first tasks of each user a cell reads: in the mix, only those never deleted."""
        return self.tasks_per_user - self.deleted(cell) or self.tasks_per_user

    def __str__(self):
        return (f"{self.users} users with {self.tasks_per_user:,} tasks each, "
                f"and one with {self.listed:,}")


@dataclass(frozen=True)
class Cell:
    """A kind of request."""

    # The name of the cell, of its function in bench.lua and of its statement for each store.
    name: str
    # A request like those of bench.lua, sent once before the measurement, and its expected status. `{cursor}` in
    # its path is that of the user.
    request: tuple
    status: int
    # The expected number of tasks in the answer, if it is a list, and the name of the list.
    answered: Optional[int] = None
    answered_as: str = "tasks"
    # Whether the cell writes; the data is then reset before the next measurement.
    writes: bool = False
    # Whether the user with the long list sends the request, instead of the others.
    by_lister: bool = False
    # The concurrency: connections of wrk to the service, and clients of pgbench.
    connections: int = 100
    clients: int = 16
    # Other statuses that its requests may have.
    also: tuple = ()


def cells(data):
    """Returns the cells for this data."""
    first = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID}"
    last = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID + data.tasks_per_user - 1}"
    tried = '{"title": "Try it", "description": "Once, before anything is measured."}'
    return [
        Cell("get", ("GET", first, None), 200),
        Cell("page", ("GET", "/api/v1/tasks?limit=20", None), 200, answered=20),
        Cell("changes", ("GET", "/api/v1/changes?limit=20&cursor={cursor}", None), 200, answered=20,
             answered_as="changed"),
        Cell("create", ("POST", "/api/v1/tasks", tried), 201, writes=True),
        Cell("complete", ("PATCH", f"{first}/complete", '{"completed": true}'), 200, writes=True),
        Cell("delete", ("DELETE", last, None), 204, writes=True),
        Cell("mix", ("GET", first, None), 200, writes=True, also=(201, 204)),
        Cell("list", ("GET", "/api/v1/tasks", None), 200, answered=data.listed, by_lister=True,
             connections=1, clients=1),
    ]
