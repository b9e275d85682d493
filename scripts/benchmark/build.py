"""What cargo says of its builds: with CARGO_TARGET_DIR or its own configuration they are not under target/."""

import argparse
import json
import os
import subprocess
from pathlib import Path

from .processes import Failed, run

ROOT = Path(__file__).resolve().parent.parent.parent
CARGO = os.environ.get("CARGO", "cargo")


def target_folder():
    """Returns the folder of everything that is built."""
    metadata = run([CARGO, "metadata", "--locked", "--no-deps", "--format-version", "1"], cwd=ROOT)
    return Path(json.loads(metadata)["target_directory"])


def program(*arguments):
    """Has cargo build the program, unless the last build is current, and returns its path."""
    # `cargo test` also builds a program with the unit tests of the same target.
    return _executable(arguments, "bin", "taskhold", is_test=False)


def test_program(name):
    """Has cargo build all tests, unless the last build is current, and returns the path of the test target `name`."""
    return _executable(["test", "--workspace", "--no-run"], "test", name, is_test=True)


def _executable(arguments, kind, name, is_test):
    command = [CARGO, *arguments, "--locked", "--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} failed")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    paths = [message["executable"] for message in messages
             if message["reason"] == "compiler-artifact" and message["target"]["kind"] == [kind]
             and message["target"]["name"] == name and message["executable"]
             and message["profile"]["test"] == is_test]
    if not paths:
        raise Failed(f"{' '.join(command)} built no program {name}")
    return Path(paths[-1])


def dist_build(path):
    """Returns the path that an argument names or, if it is empty, that of the program as `make dist` builds it."""
    return _named_or_built(path, "build", "--profile", "dist", "--bin", "taskhold")


def debug_build(path):
    """Returns the path that an argument names or, if it is empty, that of a debug build of the program."""
    return _named_or_built(path, "build", "--bin", "taskhold")


def _named_or_built(path, *arguments):
    try:
        path = Path(path).resolve() if path else program(*arguments)
    except Failed as failed:
        raise argparse.ArgumentTypeError(str(failed)) from None
    if not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{path} is no program; `make dist` makes one")
    return path
