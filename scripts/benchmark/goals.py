"""Goals of a measurement."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Callable

# The medians of a row of the table.
Figures = namedtuple("Figures", "ratio rate p50 p99 memory")

# The goal for the time from the start of the program until it is ready.
START_MS = 100


@dataclass(frozen=True)
class Goal:
    """A bound for one figure of a row."""

    text: str
    is_reached: Callable[[Figures], bool]


def ratio(least):
    return Goal(f"ratio {least:.2f}", lambda figures: figures.ratio >= least)


def rate(least):
    return Goal(f"{least:,}/s", lambda figures: figures.rate >= least)


def p50(most):
    return Goal(f"p50 {most} ms", lambda figures: figures.p50 <= most)


def p99(most):
    return Goal(f"p99 {most} ms", lambda figures: figures.p99 <= most)


def memory(most):
    return Goal(f"RSS {most} MiB", lambda figures: figures.memory <= most)


def marked(text, is_reached):
    """Returns the text of a goal, marked if the goal is missed."""
    return text if is_reached else f"{text} MISSED"


def compared(goals, figures):
    return ", ".join(marked(goal.text, goal.is_reached(figures)) for goal in goals)
