"""What comes of a run, and whether it is good enough."""

import math
from collections import Counter

from .person import Person

# The most that the 99th percentile of each kind may be, in milliseconds.
LIMITS = {"create": 500, "read": 200, "update": 300, "delete": 200}


def percentile(values, part):
    """The smallest value that so many hundredths of all do not exceed."""
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * part / 100) - 1)]


def by_kind(asked):
    kinds = {kind: [] for kind in LIMITS}
    for one in asked:
        kinds[Person.KINDS[one.deed]].append(one)
    return kinds


def rows(asked):
    """A line for each kind of request, and whether it keeps the limit: not without requests, nor where one failed."""
    table = [["kind", "requests", "errors", "p50 ms", "p90 ms", "p99 ms", "max ms", "limit of p99", "kept"]]
    for kind, of_kind in by_kind(asked).items():
        times = [one.seconds * 1000 for one in of_kind]
        errors = sum(one.problem is not None for one in of_kind)
        measured = [f"{percentile(times, part):.1f}" for part in (50, 90, 99, 100)] if times else [""] * 4
        table.append([kind, f"{len(of_kind):,}", f"{errors}", *measured, f"{LIMITS[kind]}",
                      "yes" if keeps(kind, of_kind) else "NO"])
    return table


def keeps(kind, of_kind):
    # What fails at once would make the others look faster.
    if not of_kind or any(one.problem is not None for one in of_kind):
        return False
    return percentile([one.seconds * 1000 for one in of_kind], 99) <= LIMITS[kind]


def missed(asked):
    """The kinds that do not keep their limits."""
    return [kind for kind, of_kind in by_kind(asked).items() if not keeps(kind, of_kind)]


def problems(asked):
    """How often what went wrong, the most frequent first."""
    return Counter((one.deed, one.problem) for one in asked if one.problem is not None).most_common()
