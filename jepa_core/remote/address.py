"""Addresses of data roots in object storage. Standard library only: every command looks here."""

import os
from pathlib import Path

from jepa_core.fingerprint import fingerprint, short

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def is_address(place: object) -> bool:
    """Whether a data root lies elsewhere (`s3://bucket/prefix`) and not in a folder."""
    return isinstance(place, str) and "://" in place


def copy_folder(cache: Path, address: str) -> Path:
    """Where this machine's copy of a data root lies.

    Args:
        cache: folder of all copies.
        address: of the data root.
    """
    # One name may be a bucket at two servers: their copies must never mix.
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    return cache.expanduser().resolve() / short(fingerprint([address.rstrip("/"), endpoint]))
