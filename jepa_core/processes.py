"""Processes of this machine."""

import os


def lives(pid: int) -> bool:
    """Whether a process of that number is there, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
