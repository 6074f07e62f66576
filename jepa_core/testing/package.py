"""A product's folder as people download it: in a zip file."""

import hashlib
import shutil
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every member: the same product gives the same bytes."""


def zip_folder(folder: Path) -> Path:
    """Replaces `<name>.SAFE` by `<name>.zip`, which holds that folder; members are stored as they are."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder.parent).as_posix()
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes())
    shutil.rmtree(folder)
    return target


def md5(path: Path) -> str:
    """Checksum that manifests hold of a file."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
