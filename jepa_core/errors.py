"""Errors whose message is meant for the person at the keyboard: what is wrong, with which file, and what to do."""


class JepaError(Exception):
    """Base of all such errors; callers show the message alone, without a traceback."""

    may_pass = False
    """Whether the same may go well a little later, with nothing done about it."""


class UnknownNameError(JepaError):
    """A name (of a sensor, band, variant, size, patch) that nothing has."""


class NotMaterializedError(JepaError):
    """Something that is needed was not made yet."""
