"""`python -m tests.drill`: changes and faults, and after each round the index must be that of a fresh build."""

import argparse
import random
import tempfile
from pathlib import Path

from tests.drill.rounds import drill


def main() -> None:
    """Runs it and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=90.0, help="No round is begun after that.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--daemon-every", type=int, default=20, help="Each so many rounds with Dagster's own daemon.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        found = drill(Path(folder), asked.rounds, asked.minutes * 60, asked.seed, asked.daemon_every)
    print(found.table())
    raise SystemExit(1 if found.different or found.rounds < asked.rounds else 0)


if __name__ == "__main__":
    main()
