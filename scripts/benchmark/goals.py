"""What a measurement should reach, and whether it did."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Callable

# The medians of a row.
Figures = namedtuple("Figures", "ratio rate p50 p99 memory")

# From starting the program until it is ready.
START_MS = 100


@dataclass(frozen=True)
class Goal:
    """A bound for one figure of a row."""

    words: str
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


def marked(words, is_reached):
    """The words of a goal, with a mark where it was missed."""
    return words if is_reached else f"{words} MISSED"


def compared(goals, figures):
    return ", ".join(marked(goal.words, goal.is_reached(figures)) for goal in goals)
