"""Looking at many things of which one or the other may be broken."""

from collections.abc import Callable
from typing import TypeVar

from jepa_core.errors import JepaError

T = TypeVar("T")


class Tried:
    """Asks for something, and goes on where it cannot be had."""

    def __init__(self) -> None:
        """Begins with no problem."""
        self.problems: list[str] = []

    def __call__(self, ask: Callable[[], T], otherwise: T) -> T:
        """What `ask` gives; `otherwise` where it cannot be read, which is noted once."""
        try:
            return ask()
        except (JepaError, OSError) as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return otherwise
