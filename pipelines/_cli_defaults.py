"""What `dagster asset materialize` needs at the repo root and does not read from pyproject.

Run by `jepa_dagster.pth` when a Dagster or MLflow executable starts, before either is imported. Standard library only:
every such process passes through here. The pointer option is given to the commands that refuse to run without one and
to no other: with DAGSTER_MODULE_NAME in the environment `dagster dev` hangs.
"""

import os
import sys
import warnings

_POINTER_COMMANDS = (["asset", "materialize"], ["asset", "list"], ["job", "execute"])
_POINTER_OPTIONS = (
    "-m",
    "--module-name",
    "-f",
    "--python-file",
    "--package-name",
    "--autoload-defs-module-name",
)


def arguments_of(program: str, argv: list[str]) -> list[str] | None:
    """Arguments of a program in `argv` (a `sys.orig_argv`), started as a script or with `-m`; None where it is another.

    Args:
        program: beginning of the script's name, so that `dagster` stands for `dagster-webserver` too.
        argv: interpreter first.
    """
    rest = argv[1:]
    if rest[:2] == ["-m", program]:
        return rest[2:]
    if rest and os.path.basename(rest[0]).startswith(program):
        return rest[1:]
    return None


def needs_module(arguments: list[str]) -> bool:
    """Whether the Dagster command takes a code pointer and none is given."""
    return arguments[:2] in _POINTER_COMMANDS and not any(
        argument.startswith(_POINTER_OPTIONS) for argument in arguments[2:]
    )


def apply() -> None:
    """Sets DAGSTER_HOME (it must be absolute), telemetry off and, where needed, the code location.

    Does nothing outside the root of a checkout, so that other projects of the same environment are left alone.
    """
    argv = list(sys.orig_argv)
    home = os.path.abspath("dagster_home")
    if not os.path.isfile(os.path.join(home, "dagster.yaml")):
        return
    dagster = arguments_of("dagster", argv)
    if dagster is None and arguments_of("mlflow", argv) is None:
        return
    os.environ.setdefault("DAGSTER_HOME", home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Threads that spin while they wait make training ten times slower as soon as something else uses a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if dagster is not None and needs_module(dagster):
        os.environ.setdefault("DAGSTER_MODULE_NAME", "pipelines.definitions")
        # The commands work on; the advice to install another tool instead only misleads.
        warnings.filterwarnings("ignore", message=".*is superseded and its usage is discouraged")
