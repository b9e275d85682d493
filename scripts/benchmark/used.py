"""Runs a command and writes down what it used: its seconds, and the memory of its largest process in MB.

A program by itself, with as few modules as can be: of a process the system tells at least the memory that
the one had which forked it, and this one must have less than any command.
"""

import os
import resource
import sys
import time


def main(report, *command):
    started = time.monotonic()
    status = os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)[1])
    seconds = time.monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    with open(report, "w") as file:
        print(seconds, memory, file=file)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
