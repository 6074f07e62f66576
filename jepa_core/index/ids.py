"""The number that stands for a patch in every index."""

import hashlib


def vector_id(patch_id: str) -> int:
    """The patch's id in every index: 63 bits of a hash of its name, so that it never changes."""
    digest = hashlib.blake2b(patch_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
