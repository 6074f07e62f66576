"""Fingerprints: equal inputs, settings and code give equal text."""

import hashlib
import json
from pathlib import Path
from typing import Any


def fingerprint(value: Any) -> str:
    """64 hexadecimal digits of SHA-256 over the value's canonical JSON (sorted keys, exact floats)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short(full: str) -> str:
    """First 12 digits: what folders and people use."""
    return full[:12]
