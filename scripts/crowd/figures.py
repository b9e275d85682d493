"""The figures of a run, and whether they keep the limits."""

import math
from collections import Counter

from .person import Person

# The limit of the 99th percentile of each kind, in milliseconds.
LIMITS = {"create": 500, "read": 200, "update": 300, "delete": 200}


def percentile(values, part):
    """Returns the smallest value that at least `part` percent of all values do not exceed."""
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * part / 100) - 1)]


def by_kind(outcomes):
    kinds = {kind: [] for kind in LIMITS}
    for outcome in outcomes:
        kinds[Person.KINDS[outcome.operation]].append(outcome)
    return kinds


def rows(outcomes):
    """Returns a row for each kind of request. A kind without requests, or with a failed one, misses its limit."""
    table = [["kind", "requests", "errors", "p50 ms", "p90 ms", "p99 ms", "max ms", "limit of p99", "kept"]]
    for kind, of_kind in by_kind(outcomes).items():
        times = [outcome.seconds * 1000 for outcome in of_kind]
        errors = sum(outcome.problem is not None for outcome in of_kind)
        measured = [f"{percentile(times, part):.1f}" for part in (50, 90, 99, 100)] if times else [""] * 4
        table.append([kind, f"{len(of_kind):,}", f"{errors}", *measured, f"{LIMITS[kind]}",
                      "yes" if keeps(kind, of_kind) else "NO"])
    return table


def keeps(kind, of_kind):
    # Requests that fail fast would improve the percentile.
    if not of_kind or any(outcome.problem is not None for outcome in of_kind):
        return False
    return percentile([outcome.seconds * 1000 for outcome in of_kind], 99) <= LIMITS[kind]


def missed(outcomes):
    """Returns the kinds that miss their limits."""
    return [kind for kind, of_kind in by_kind(outcomes).items() if not keeps(kind, of_kind)]


def problems(outcomes):
    """Counts the problems of each operation, the most frequent first."""
    failed = (outcome for outcome in outcomes if outcome.problem is not None)
    return Counter((outcome.operation, outcome.problem) for outcome in failed).most_common()
