"""What is measured, and the data that it is measured on, alike on both stores."""

from dataclasses import dataclass
from typing import Optional

# The first user's id; those of the others follow.
FIRST_USER = 1000

# Task number n has the id PREFIX and 100000000000 + n: a version 7 UUID whose last twelve digits
# are decimal, so that pgbench, which calculates only with whole numbers, can name it.
FIRST_ID = 100_000_000_000
# Seeded tasks were made in 2020; those of a yardstick in 2021, and those of the service later still.
SEED_MICROS = 1_577_836_800_000_000
ADDED_MICROS = 1_609_459_200_000_000

DESCRIPTION = "Twice a week, those on the balcony too."
# What the mix is of, in hundredths.
MIX = {"get": 50, "page": 20, "create": 10, "complete": 15, "delete": 5}

# What a read of a task asks for.
COLUMNS = "id, user_id, title, description, is_completed, version, created_at, updated_at"
# What a list and a change ask for, whose owner is known.
OF_OWNER = "id, title, description, is_completed, version, created_at, updated_at"


def id_prefix(micros):
    instant = f"{micros // 1000:012x}"
    return f"{instant[:8]}-{instant[8:]}-7000-8000-"


@dataclass(frozen=True)
class Data:
    """Whose tasks there are: those of many users, and those of one more, who has a long list."""

    users: int = 200
    tasks_per_user: int = 1000
    listed: int = 10_000

    @property
    def tasks(self):
        """How many there are, those of the many numbered before those of the one."""
        return self.users * self.tasks_per_user + self.listed

    @property
    def lister(self):
        """The id of the user with the long list."""
        return FIRST_USER + self.users

    def owner(self, number):
        """Whose a task is."""
        return FIRST_USER + min(number // self.tasks_per_user, self.users)

    def deleted(self, cell):
        """How many of the last tasks of each user may be deleted."""
        return self.tasks_per_user // 10 if cell.name == "mix" else self.tasks_per_user

    def kept(self, cell):
        """How many of the first tasks of each user are asked for: in the mix, none that may be deleted."""
        return self.tasks_per_user - self.deleted(cell) or self.tasks_per_user

    def __str__(self):
        return (f"{self.users} users with {self.tasks_per_user:,} tasks each, "
                f"and one with {self.listed:,}")


@dataclass(frozen=True)
class Cell:
    """A kind of request."""

    # Also the name of its function in bench.lua and of the statement in a store's module.
    name: str
    # A request like those of bench.lua, tried once, and the status that it must have.
    request: tuple
    status: int
    # How many tasks must be in the answer, where it is a list of them.
    answered: Optional[int] = None
    # Whether it writes: what it wrote is taken back before the next measurement.
    writes: bool = False
    # Whether the user with the long list asks, who is none of the others.
    of_lister: bool = False
    # How many ask at once: the service by wrk, PostgreSQL by pgbench.
    connections: int = 100
    clients: int = 16
    # The other statuses that its requests may have.
    also: tuple = ()


def cells(data):
    """Each kind of request to these tasks."""
    first = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID}"
    last = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID + data.tasks_per_user - 1}"
    tried = '{"title": "Try it", "description": "Once, before anything is measured."}'
    return [
        Cell("get", ("GET", first, None), 200),
        Cell("page", ("GET", "/api/v1/tasks?limit=20", None), 200, answered=20),
        Cell("create", ("POST", "/api/v1/tasks", tried), 201, writes=True),
        Cell("complete", ("PATCH", f"{first}/complete", '{"completed": true}'), 200, writes=True),
        Cell("delete", ("DELETE", last, None), 204, writes=True),
        Cell("mix", ("GET", first, None), 200, writes=True, also=(201, 204)),
        Cell("list", ("GET", "/api/v1/tasks", None), 200, answered=data.listed, of_lister=True,
             connections=1, clients=1),
    ]
