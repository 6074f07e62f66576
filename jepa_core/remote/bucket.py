"""A data root in object storage, through fsspec: listing, fetching, sending, and making what must not be there yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jepa_core.remote.errors import GoneError, RemoteError, is_no_bucket, missing_package, plain_remote_errors
from jepa_core.remote.layout import Scope

_AT_ONCE = 16
"""Objects under way at a time."""

_AT_ONCE_REMOVED = 500
"""Objects removed by one request, where the storage can."""


@dataclass(frozen=True)
class There:
    """An object as it was listed."""

    size: int
    """Bytes."""

    token: str
    """Changes when the object does: its etag, or what the storage has in its place."""

    modified_ns: int
    """When it was written, by the storage's clock, nanoseconds since 1970; 0 where the storage does not say."""


class Bucket:
    """Objects by their paths under the data root. All methods raise `RemoteError`, in one plain line."""

    def __init__(self, address: str) -> None:
        """Connects with what the environment says; nothing is asked yet.

        Raises:
            RemoteError: nothing here opens such addresses.
        """
        import fsspec

        self.address = address.rstrip("/")
        protocol = address.partition("://")[0]
        try:
            kind = fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            raise RemoteError(f"{address}: {missing_package(address)}") from error
        except ValueError as error:
            raise RemoteError(f"{address}: there is no such kind of storage as {protocol}") from error
        with plain_remote_errors(self.address):
            # An instance of one's own: others' caches of listings would tell what was.
            self._fs: Any = kind(skip_instance_cache=True, use_listings_cache=False)
            self._root = str(kind._strip_protocol(self.address)).rstrip("/")
        if self._fs.async_impl:
            self._fs.batch_size = _AT_ONCE

    def list(self, scope: Scope) -> dict[str, There]:
        """All objects of a part of the data root, by path."""
        found: dict[str, There] = {}
        with plain_remote_errors(self.address):
            for part in scope.under:
                self._fs.invalidate_cache()
                for path, info in self._found(f"{self._root}/{part}".rstrip("/")).items():
                    name = path[len(self._root) + 1 :]
                    if scope.holds(name) and info["type"] == "file":
                        found[name] = There(int(info["size"]), _token(info), _modified(info))
        return found

    def list_folder(self, folder: str) -> dict[str, There]:
        """The objects of a folder, by name, whatever they are."""
        with plain_remote_errors(self.address):
            self._fs.invalidate_cache()
            found = self._found(f"{self._root}/{folder}")
        return {
            path.rpartition("/")[2]: There(int(info["size"]), _token(info), _modified(info))
            for path, info in found.items()
        }

    def _found(self, place: str) -> dict[str, Any]:
        try:
            return dict(self._fs.find(place, detail=True))
        except FileNotFoundError as error:
            # A storage of folders says so where nothing was written yet.
            if is_no_bucket(error):
                raise
            return {}

    def fetch(self, paths: Sequence[str], to: Sequence[Path]) -> None:
        """Writes objects to files, several at once.

        Raises:
            GoneError: one is not there any more.
        """
        with plain_remote_errors(self.address):
            self._fs.get([self._at(path) for path in paths], [str(file) for file in to])

    def send(self, files: Sequence[Path], paths: Sequence[str]) -> None:
        """Writes files to objects, several at once; each object is replaced as a whole."""
        with plain_remote_errors(self.address):
            self._fs.put([str(file) for file in files], [self._at(path) for path in paths])

    def remove(self, paths: Sequence[str]) -> None:
        """Removes objects; those that are gone already are passed over."""
        for start in range(0, len(paths), _AT_ONCE_REMOVED):
            lot = [self._at(path) for path in paths[start : start + _AT_ONCE_REMOVED]]
            try:
                with plain_remote_errors(self.address):
                    self._fs.rm(lot)
            except GoneError:
                if len(lot) > 1:
                    for path in paths[start : start + _AT_ONCE_REMOVED]:
                        self.remove([path])

    def read(self, path: str) -> bytes | None:
        """Content of a small object; None where there is none."""
        try:
            with plain_remote_errors(self.address):
                return bytes(self._fs.cat_file(self._at(path)))
        except GoneError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Writes a small object."""
        with plain_remote_errors(self.address):
            self._fs.pipe_file(self._at(path), content)

    def create(self, path: str, content: bytes) -> bool:
        """Writes a small object where there is none; says whether it did, which of several writers one does."""
        with plain_remote_errors(self.address):
            try:
                self._fs.pipe_file(self._at(path), content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                # botocore's word for it, which s3fs hands on as it is.
                if "PreconditionFailed" in str(error) or "pre-conditions" in str(error):
                    return False
                raise
        return True

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


def _token(info: dict[str, Any]) -> str:
    for name in ("ETag", "etag", "md5Hash", "content_md5"):
        if info.get(name):
            return str(info[name]).strip('"')
    return f"{info['size']} {_modified(info)}"


def _modified(info: dict[str, Any]) -> int:
    for name in ("LastModified", "last_modified", "updated", "mtime", "modified", "created"):
        value = info.get(name)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            # Not through a float, which drops the last digits.
            return int(value.timestamp()) * 1_000_000_000 + value.microsecond * 1000
        if isinstance(value, (int, float)):
            return int(value * 1e9)
    return 0
