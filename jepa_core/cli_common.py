"""What the commands have in common. Everything heavy is imported late, so that `--help` answers at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from jepa_core import versions

if TYPE_CHECKING:
    from jepa_core.store import Store

Variant = Annotated[str, typer.Option(help=f"Method whose descriptors are meant: {', '.join(versions.MODEL)}.")]


@contextmanager
def plain_errors(command: str) -> Iterator[None]:
    """What is wrong, in one line and without a traceback; exit code 1."""
    from jepa_core.errors import JepaError

    try:
        yield
    except (JepaError, OSError) as error:
        # What the system says of a file names it.
        typer.secho(f"jepa {command}: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def open_store() -> "Store":
    """The data root that the settings name.

    Raises:
        MixedDataError: it holds products of another archive.
    """
    from jepa_core.archive.discover import archive_identity
    from jepa_core.settings import Settings
    from jepa_core.store import Store

    settings = Settings()
    store = Store.at(settings.data)
    store.check_bound(archive_identity(settings))
    return store
