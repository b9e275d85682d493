"""The environment of the checks: Python tools in virtual environments, and the service on a new store."""

import contextlib
import secrets
import subprocess
import sys
import venv
from pathlib import Path

from benchmark.postgres import Postgres
from benchmark.processes import Failed
from benchmark.program import Program

ROOT = Path(__file__).resolve().parent.parent.parent
STORES = ("sqlite", "postgres")

# Limits that no check reaches.
UNLIMITED = {f"TASKHOLD__LIMITS__{name}": "4000000000" for name in
             ("LOGIN_REQUESTS_PER_MINUTE", "LOGIN_FAILURES_PER_ADDRESS", "LOGIN_FAILURES")}


def installed(package, version):
    """Installs a package into its own virtual environment once, and returns the folder of its programs."""
    folder = ROOT / "target/python" / f"{package}-{version}"
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, clear=True, with_pip=True)
        command = [folder / "bin/python", "-m", "pip", "install", "--quiet",
                   "--disable-pip-version-check", f"{package}=={version}"]
        if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
            raise Failed(f"{package} {version} cannot be installed")
        done.touch()
    return folder / "bin"


@contextlib.contextmanager
def serving(binary, store, folder):
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
            "DATABASE_URL": url, "JWT_SECRET": secrets.token_hex(32), **UNLIMITED,
        })
        cleanup.callback(program.stop)
        program.serve()
        yield program


def default_binary():
    return ROOT / "target/debug/taskhold"


def ensure(*programs):
    if subprocess.run([ROOT / "scripts/ensure", *programs]).returncode != 0:
        sys.exit(1)
