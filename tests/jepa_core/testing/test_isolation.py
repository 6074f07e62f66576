"""The simulator and what it tests do not know each other."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "jepa_core"


def imports(path: Path) -> set[str]:
    found = set()
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.Import):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            found |= {part.module or "", *(f"{part.module}.{alias.name}" for alias in part.names)}
    return found


def test_simulator_and_readers_do_not_import_each_other():
    for path in PACKAGE.rglob("*.py"):
        names = {name for name in imports(path) if name.startswith("jepa_core.")}
        testing = {name for name in names if name.startswith("jepa_core.testing")}
        wrong = names - testing if path.is_relative_to(PACKAGE / "testing") else testing
        assert not wrong, path
