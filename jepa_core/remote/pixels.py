"""Fetching the pixels of one scene, when something reads them."""

import os
from pathlib import Path, PurePosixPath

from jepa_core import atomic
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.copy import batches, place
from jepa_core.remote.errors import RemoteError
from jepa_core.remote.layout import OWN, Scope


def fetch_pixels(address: str, path: str, to: Path) -> None:
    """Fetches a folder of pixels as a whole.

    Args:
        address: of the data root.
        path: of the folder, under the data root.
        to: the folder that is made, in this machine's copy.

    Raises:
        RemoteError: it cannot be had.
    """
    bucket = Bucket(address)
    found = bucket.list(Scope((f"{path}/",)))
    if not found:
        raise RemoteError(f"{address}: {path} is not there any more, another run replaced it; run again")
    root = to.parents[len(PurePosixPath(path).parts) - 1]
    # Not beside its place: what a kill leaves there would count as the scene's.
    with atomic.scratch_folder(root / OWN / f"{to.parent.name}-pixels") as scratch:
        fetched = scratch / "fetched"
        whole = scratch / "whole"
        fetched.mkdir()
        for lot in batches([(name, there.size) for name, there in found.items()]):
            files = [fetched / str(number) for number in range(len(lot))]
            bucket.fetch(lot, files)
            for name, file in zip(lot, files, strict=True):
                place(file, whole / PurePosixPath(name).relative_to(path), found[name])
        # Another process may have been faster: what it put there is the same.
        if not to.exists():
            os.replace(whole, to)
