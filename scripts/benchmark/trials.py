"""How the service is measured on each store."""

from dataclasses import dataclass, field

from .postgres import Postgres, PostgresDatabase


@dataclass
class Way:
    """A way to run the service, by its settings; the first of a store is the default."""

    name: str = ""
    settings: dict = field(default_factory=dict)


class PostgresTrial:
    title = "PostgreSQL"
    yardstick = "pgbench"
    # Whether the database is a program of its own.
    database_is_apart = True
    ways = [Way()]
    goals = {("get", ""): "ratio 0.35", ("create", ""): "ratio 0.55"}

    def __init__(self, folder, undo):
        self.server = Postgres(folder)
        undo.callback(self.server.stop)
        self.server.start()

    def version(self):
        return self.server.version()

    def store(self, name):
        return PostgresDatabase(self.server, name)


TRIALS = {"postgres": PostgresTrial}
