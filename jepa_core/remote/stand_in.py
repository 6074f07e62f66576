"""Pixels that were left in object storage: a small file stands in for them until they are asked for.

Standard library only: whatever looks at a scene's folder looks here, whether the data root is remote or not.
"""

from pathlib import Path

from jepa_core import atomic

PIXELS = "pixels.zarr"

NAME = f"{PIXELS}.left"
"""Of the file that stands in for the folder of pixels beside it."""


def bytes_of(file: Path) -> int:
    """Size of a file; of one that stands in for pixels, theirs."""
    if file.name != NAME:
        return file.stat().st_size
    # A fetch that was killed at its end leaves both: the pixels count.
    return 0 if (file.parent / PIXELS).exists() else int(atomic.read_json(file)["bytes"])


def write(folder: Path, address: str, path: str, size: int) -> None:
    """Leaves the pixels of a scene where they are.

    Args:
        folder: of the scene, in this machine's copy.
        address: of the data root.
        path: of the pixels, under the data root.
        size: bytes of the pixels.
    """
    said = {"address": address, "path": path, "bytes": size}
    if not (folder / NAME).exists() or atomic.read_json(folder / NAME) != said:
        atomic.write_json(folder / NAME, said)


def bring(folder: Path) -> None:
    """Fetches the pixels of a scene, where they were left in object storage.

    Args:
        folder: of the scene.

    Raises:
        RemoteError: they cannot be had.
    """
    stand_in = folder / NAME
    if not stand_in.exists():
        return
    if not (folder / PIXELS).exists():
        from jepa_core.remote.pixels import fetch_pixels

        said = atomic.read_json(stand_in)
        fetch_pixels(said["address"], said["path"], folder / PIXELS)
    stand_in.unlink(missing_ok=True)
