"""Train, validation and test parts of an archive that brings none of its own."""

import hashlib


def split_of_cell(cell_id: str) -> str:
    """`train` (80 %), `val` (10 %) or `test` (10 %), by a hash of the cell.

    By cell, so that the dates and sensors of one place never lie in two parts.
    """
    digest = hashlib.sha256(cell_id.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < 0.8:
        return "train"
    return "val" if share < 0.9 else "test"
