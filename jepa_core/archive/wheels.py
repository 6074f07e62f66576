"""Files that are handed out inside Python wheels: fetched by the environment's own pip, checked, kept."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.fingerprint import file_digest


class DownloadError(JepaError):
    """A file that is needed could not be had."""

    may_pass = True


@dataclass(frozen=True)
class PinnedWheel:
    """One wheel of one version, known by its hash."""

    requirement: str
    """Name and exact version, as pip takes it."""

    file_name: str
    """Name of the wheel file."""

    sha256: str
    """Hash of the file, hexadecimal."""

    megabytes: float
    """Size, to tell people before they wait."""


def fetch(wheel: PinnedWheel, folder: Path) -> Path:
    """Path of the wheel in `folder`, downloaded there if it is not there yet.

    Raises:
        DownloadError: no network, or the file's hash is not the pinned one. The message says which file is
            wanted and where to put it by hand.
    """
    path = folder / wheel.file_name
    by_hand = f"Put {wheel.file_name} (sha256 {wheel.sha256}) into {folder} by hand and run again."
    if path.exists():
        if file_digest(path) != wheel.sha256:
            raise DownloadError(f"{path} is not the pinned file. Delete it, or: {by_hand}")
        return path
    print(f"Fetching {wheel.requirement} ({wheel.megabytes:.0f} MB) ...", flush=True)
    with atomic.scratch_folder(path) as temporary:
        # The interpreter is named because one wheel declares itself for Python below 3.12; it is pure data to us.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
        command += ["--only-binary=:all:", "--python-version", "3.11", "--dest", str(temporary), wheel.requirement]
        # pip shows its own progress; what it complains of is kept for the message.
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
        fetched = temporary / wheel.file_name
        if done.returncode != 0 or not fetched.exists():
            complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = " ".join(complaints) or "pip gave no reason"
            raise DownloadError(f"could not fetch {wheel.requirement} (no network?). {by_hand} pip said: {reason}")
        digest = file_digest(fetched)
        if digest != wheel.sha256:
            raise DownloadError(
                f"{wheel.requirement} came with sha256 {digest}, which is not the pinned one. {by_hand}"
            )
        with atomic.new_file(path) as place:
            shutil.copyfile(fetched, place)
    return path
