"""Items of STAC catalogues and APIs."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pystac
import pystac_client
from pystac.stac_io import DefaultStacIO
from pystac_client.stac_api_io import StacApiIO

from jepa_core.archive.addresses import is_remote, local_path, local_text, read_metadata
from jepa_core.archive.scene import ArchiveError

_PATIENCE_S = (10.0, 30.0)
"""How long a connection, and an answer, may take."""

_RETRIES = 2

_MOST_FAILURES = 3
"""Links in a row that cannot be read, before the rest of a catalogue is given up."""

_MOST_REPEATS = 1000
"""Items in a row that an API gave before: its pages go in circles. New items may shift pages a little."""

Items = Iterator[tuple[str, Mapping[str, Any]]]
"""What names an item within its catalogue, and its JSON."""


def catalogue_items(address: str, root: Path, name: str) -> Items:
    """Items of a static catalogue and all that it links to, but for those that lie in the archive themselves.

    Args:
        address: of its JSON; a path counts from `root`.
        root: of the archive.
        name: of the file that names it, for messages.

    Raises:
        ArchiveError: after the items that can be read: some cannot.
    """
    href = address if is_remote(address) else str(local_path(address, root, root, name))
    first = pystac.Catalog.from_file(href, stac_io=_AnywhereIO(remote_only=is_remote(address)))
    todo, seen, failures, in_a_row = [first], {href}, list[str](), 0
    while todo and in_a_row < _MOST_FAILURES:
        catalog = todo.pop()
        for link in [*catalog.get_item_links(), *catalog.get_child_links()]:
            target = link.get_absolute_href() or link.href
            if target in seen:
                continue
            seen.add(target)
            if link.rel == pystac.RelType.ITEM and not is_remote(target):
                # It was found on the way through the folders.
                local_path(target, root, root, name)
                continue
            try:
                found = link.resolve_stac_object(root=first).target
                if isinstance(found, pystac.Item):
                    found.make_asset_hrefs_absolute()
                    yield target, found.to_dict(transform_hrefs=False)
                elif isinstance(found, pystac.Catalog):
                    todo.append(found)
                in_a_row = 0
            except Exception as error:
                # Whatever parsing or the network raise, the other items can be had.
                failures.append(f"{target}: {error.__cause__ or error}")
                in_a_row += 1
                if in_a_row == _MOST_FAILURES:
                    break
    if failures:
        raise ArchiveError(f"{len(failures)} of its links cannot be read; first {failures[0]}")


def open_api(address: str) -> pystac_client.Client:
    """A client of the API with this landing page, which is read."""
    return pystac_client.Client.open(address, stac_io=StacApiIO(timeout=_PATIENCE_S, max_retries=_RETRIES))


def api_items(address: str, search: Mapping[str, Any]) -> Items:
    """Items that an API finds.

    Args:
        address: of its landing page.
        search: parameters, as `pystac_client.Client.search` takes them.

    Raises:
        ArchiveError: its pages go in circles. What the client raises goes through.
    """
    yield from Found(open_api(address), search)


class Found:
    """Items that an API finds, asked for page by page."""

    def __init__(self, client: pystac_client.Client, search: Mapping[str, Any]) -> None:
        """Asks for nothing yet; `search` is as `pystac_client.Client.search` takes it."""
        self._search = client.search(**search)
        self.matched: int | None = None
        """How many there are, where the API says so; known from the first page on."""

    def __iter__(self) -> Items:
        """Names and items.

        Raises:
            ArchiveError: the pages go in circles. What the client raises goes through.
        """
        seen: set[str] = set()
        repeats = 0
        for page in self._search.pages_as_dicts():
            if self.matched is None:
                self.matched = _matched(page)
            for item in page.get("features", []):
                name = f"{item.get('collection') or ''}/{item.get('id')}"
                repeats = repeats + 1 if name in seen else 0
                if repeats > _MOST_REPEATS:
                    raise ArchiveError("its pages go in circles")
                if not repeats:
                    seen.add(name)
                    yield name, item

    def count(self) -> int | None:
        """How many there are, asked for by themselves; None where the API does not say."""
        with warnings.catch_warnings():
            # That it does not say is an answer.
            warnings.simplefilter("ignore")
            return self._search.matched()


def _matched(page: Mapping[str, Any]) -> int | None:
    context = page.get("context")
    said = context.get("matched") if isinstance(context, Mapping) else page.get("numberMatched")
    return said if isinstance(said, int) else None


class _AnywhereIO(DefaultStacIO):
    """Reads catalogues through fsspec, so that they may lie where the assets may."""

    def __init__(self, remote_only: bool) -> None:
        super().__init__()
        self.remote_only = remote_only

    def read_text_from_href(self, href: str, *args: Any, **kwargs: Any) -> str:
        if self.remote_only and not is_remote(href):
            raise ArchiveError(f"a catalogue elsewhere leads to {local_text(href)} on this machine")
        return read_metadata(href).decode()
