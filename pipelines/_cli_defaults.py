"""What `dagster asset materialize` needs at the repo root and does not read from pyproject.

Run by `jepa_dagster.pth` when a Dagster executable starts, before Dagster is imported. Standard library only:
every Dagster process passes through here. The pointer option is given to the commands that refuse
to run without one and to no other: with DAGSTER_MODULE_NAME in the environment `dagster dev` hangs.
"""

import os
import sys

_POINTER_COMMANDS = (["asset", "materialize"], ["asset", "list"], ["job", "execute"])
_POINTER_OPTIONS = (
    "-m",
    "--module-name",
    "-f",
    "--python-file",
    "--package-name",
    "--autoload-defs-module-name",
)


def dagster_arguments(argv: list[str]) -> list[str] | None:
    """Arguments after the Dagster executable in `argv` (a `sys.orig_argv`), None where it is another."""
    rest = argv[1:]
    if rest[:2] == ["-m", "dagster"]:
        return rest[2:]
    if rest and os.path.basename(rest[0]).startswith("dagster"):
        return rest[1:]
    return None


def needs_module(arguments: list[str]) -> bool:
    """Whether the command takes a code pointer and none is given."""
    return arguments[:2] in [list(c) for c in _POINTER_COMMANDS] and not any(
        argument.startswith(_POINTER_OPTIONS) for argument in arguments[2:]
    )


def apply() -> None:
    """Sets DAGSTER_HOME (it must be absolute) and, where needed, the code location. Nothing elsewhere."""
    arguments = dagster_arguments(list(sys.orig_argv))
    home = os.path.abspath("dagster_home")
    if arguments is None or not os.path.isfile(os.path.join(home, "dagster.yaml")):
        return
    os.environ.setdefault("DAGSTER_HOME", home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if needs_module(arguments):
        os.environ.setdefault("DAGSTER_MODULE_NAME", "pipelines.definitions")
