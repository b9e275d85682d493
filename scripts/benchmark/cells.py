"""What is measured, and the data that it is measured on, alike on both stores."""

from dataclasses import dataclass

USERS = 200
TASKS_PER_USER = 1000
TASKS = USERS * TASKS_PER_USER
# The first user's id; those of the others follow.
FIRST_USER = 1000

# Task number n has the id PREFIX and 100000000000 + n: a version 7 UUID whose last twelve digits
# are decimal, so that pgbench, which calculates only with whole numbers, can name it.
FIRST_ID = 100_000_000_000
# Seeded tasks were made in 2020; those of a yardstick in 2021, and those of the service later still.
SEED_MICROS = 1_577_836_800_000_000
ADDED_MICROS = 1_609_459_200_000_000

DESCRIPTION = "Twice a week, those on the balcony too."
# What the mix is of, in hundredths; deletions take the last tenth of each user's tasks, which nothing
# else asks for.
MIX = {"get": 50, "page": 20, "create": 10, "complete": 15, "delete": 5}
KEPT_IN_MIX = TASKS_PER_USER * 9 // 10

# What a read of a task asks for.
COLUMNS = "id, user_id, title, description, is_completed, version, created_at, updated_at"


def id_prefix(micros):
    instant = f"{micros // 1000:012x}"
    return f"{instant[:8]}-{instant[8:]}-7000-8000-"


@dataclass
class Cell:
    """A kind of request."""

    # Also the name of its function in bench.lua and of the statement in a store's module.
    name: str
    # A request like those of bench.lua, tried once, and the status that it must have.
    request: tuple
    status: int
    # Whether it writes: what it wrote is taken back before the next measurement.
    writes: bool


FIRST_TASK = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID}"
LAST_TASK = f"/api/v1/tasks/{id_prefix(SEED_MICROS)}{FIRST_ID + TASKS_PER_USER - 1}"

CELLS = [
    Cell("get", ("GET", FIRST_TASK, None), 200, writes=False),
    Cell("page", ("GET", "/api/v1/tasks?limit=20", None), 200, writes=False),
    Cell(
        "create",
        (
            "POST",
            "/api/v1/tasks",
            '{"title": "Try it", "description": "Once, before anything is measured."}',
        ),
        201,
        writes=True,
    ),
    Cell("complete", ("PATCH", f"{FIRST_TASK}/complete", '{"completed": true}'), 200, writes=True),
    Cell("delete", ("DELETE", LAST_TASK, None), 204, writes=True),
    Cell("mix", ("GET", FIRST_TASK, None), 200, writes=True),
]
