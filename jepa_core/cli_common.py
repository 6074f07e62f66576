"""What the commands have in common. Everything heavy is imported late, so that `--help` answers at once."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from jepa_core import versions

if TYPE_CHECKING:
    from jepa_core.remote.scopes import Wanted
    from jepa_core.settings import Settings
    from jepa_core.store import Store

Variant = Annotated[str, typer.Option(help=f"Method whose descriptors are meant: {', '.join(versions.MODEL)}.")]


@contextmanager
def plain_errors(command: str) -> Iterator[None]:
    """What is wrong, in one line and without a traceback; exit code 1, or 130 where the user interrupted it."""
    from jepa_core.errors import JepaError

    try:
        yield
    except (JepaError, OSError) as error:
        # What the system says of a file names it.
        typer.secho(f"jepa {command}: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as interrupt:
        typer.secho(f"jepa {command}: interrupted; what was finished is kept", fg="red", err=True)
        raise typer.Exit(130) from interrupt


def open_store(reads: "Sequence[Wanted]") -> "Store":
    """The data root that the settings name.

    Args:
        reads: what is read; where the root lies in object storage, that is fetched.

    Raises:
        MixedDataError: it holds products of another archive.
        RemoteError: it lies in object storage, which cannot be read.
    """
    from jepa_core.settings import Settings

    settings = Settings()
    if isinstance(settings.data, str):
        from jepa_core.remote.session import read

        read(settings.data, settings.data_folder, reads, say)
    return _bound(settings)


@contextmanager
def changed_store(reads: "Sequence[Wanted]", bound: bool = True) -> "Iterator[Store]":
    """The data root that the settings name; where it lies in object storage, what was changed in it is sent there.

    Args:
        reads: what is read and changed.
        bound: makes sure that the root holds no products of another archive.

    Raises:
        MixedDataError: it does.
        RemoteError: it lies in object storage, which cannot be read or written.
    """
    from jepa_core.settings import Settings
    from jepa_core.store import Store

    settings = Settings()
    with ExitStack() as stack:
        if isinstance(settings.data, str):
            from jepa_core.remote.session import write

            stack.enter_context(write(settings.data, settings.data_folder, reads, say))
        yield _bound(settings) if bound else Store.at(settings.data_folder)


def say(message: str) -> None:
    """Tells the user something beside what was asked for."""
    typer.echo(message, err=True)


def _bound(settings: "Settings") -> "Store":
    from jepa_core.archive.discover import archive_identity
    from jepa_core.store import Store

    store = Store.at(settings.data_folder)
    store.check_bound(archive_identity(settings))
    return store
