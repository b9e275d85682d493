"""The printed report."""

import math
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

from .goals import START_MS, Figures, compared, marked
from .measuring import Answers, Statements


def median(values):
    return statistics.median(values)


def quotient(ours, theirs):
    """Returns the quotient, or NaN if the machine was too busy to run anything."""
    return ours / theirs if theirs else math.nan


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return ", ".join([
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()})",
        f"{int(memory[1]) / 1024 ** 2:.0f} GB",
        f"Linux {platform.release()}",
    ])


def wrk_version():
    words = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split()
    return words[1] if len(words) > 1 else "?"


def load_average():
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def headings(trial):
    # A database within the process of the service cannot be measured separately.
    separate = ["database us"] if trial.database_is_separate else []
    return ["cell", f"{trial.yardstick}/s", "service/s", "ratio", "lowest-highest", "p50 ms", "p99 ms",
            "errors", "service us", *separate, f"{trial.yardstick}'s us", "RSS MiB", "goal"]


def row(trial, name, goals, statements, answers):
    """Returns a row of the table from the measurements of all repetitions."""
    ratios = [quotient(ours.rate, theirs.rate) for ours, theirs in zip(answers, statements)]
    statements, answers = Statements(*zip(*statements)), Answers(*zip(*answers))
    figures = Figures(median(ratios), *map(median, (answers.rate, answers.p50, answers.p99, answers.memory)))
    separate = [f"{median(answers.database_cpu):.0f}"] if trial.database_is_separate else []
    return [
        name,
        f"{median(statements.rate):,.0f}",
        f"{figures.rate:,.0f}",
        f"{figures.ratio:.2f}",
        f"{min(ratios):.2f}-{max(ratios):.2f}",
        f"{figures.p50:.1f}",
        f"{figures.p99:.1f}",
        f"{sum(answers.errors)}",
        f"{median(answers.service_cpu):.0f}",
        *separate,
        f"{median(statements.cpu):.0f}",
        f"{figures.memory:.0f}",
        compared(goals, figures),
    ]


def gain(name, variant, default, other):
    """Compares the default settings of the service with a variant, as a line of text."""
    times = [quotient(ours.rate, theirs.rate) for ours, theirs in zip(default, other)]
    return (f"{name}: {median(times):.2f} times as many as with {variant} "
            f"({min(times):.2f}-{max(times):.2f})")


def start(seconds):
    """Describes the time from the start of the program until it is ready, over several starts."""
    taken = [each * 1000 for each in seconds]
    goal = marked(f"goal {START_MS} ms", median(taken) <= START_MS)
    return (f"Start: ready after {median(taken):.0f} ms ({min(taken):.0f}-{max(taken):.0f}, "
            f"{len(taken)} starts), {goal}")


def print_table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]

    def line(cells):
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    print(line(rows[0]))
    print(line(["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]))
    for cells in rows[1:]:
        print(line(cells))
