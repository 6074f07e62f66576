"""Pictures of reports and comparisons as files."""

import re
from collections.abc import Mapping
from pathlib import Path


def write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Writes pictures as `<number>-<caption>.png`, so that a folder lists them in the order of the page.

    Args:
        folder: takes them.
        pictures: PNGs by caption, in the order in which the page shows them.
    """
    for number, (caption, png) in enumerate(pictures.items(), start=1):
        (folder / f"{number:02d}-{_slug(caption)}.png").write_bytes(png)


def _slug(caption: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60].strip("-")
