"""Runs a command and reports its seconds and the memory of its largest process in MB.

This is a separate program with few modules: a process is reported with at least the memory of the process that
forked it, so the parent must be smaller than any command.
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
