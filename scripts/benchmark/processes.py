"""Running programs, and the processor time of programs and of the machine."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

USED = Path(__file__).resolve().parent / "used.py"
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """Ends the run with a message."""


def run(command, **options):
    """Runs a program until it exits and returns its standard output."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )
    if done.returncode != 0:
        raise Failed(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def measured(command, report, stdin=subprocess.DEVNULL, **options):
    """Runs a program, named by its path, until it exits. Returns its standard output, its seconds, and the memory
    of its largest process in MB. `report` is the path of a temporary file."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", USED, report, *(str(word) for word in command)],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )
    if done.returncode != 0:
        raise Failed(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout, *map(float, Path(report).read_text().split())


def cpu_seconds(pid, with_dead_children=False):
    """Returns the processor time of all threads of a process so far, or 0 if the process has exited."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15 if with_dead_children else 13]) / TICKS


def busy_seconds():
    """Returns the processor time of all cores of the machine so far."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(ticks) for ticks in fields)
    return (user + nice + system + irq + softirq + steal) / TICKS


def generators_cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
