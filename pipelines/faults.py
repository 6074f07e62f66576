"""What goes wrong in an asset: plain words for what will not pass, another try a little later for what may."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from jepa_core.errors import JepaError
from jepa_core.trouble import may_pass

RETRIES = 3
"""Further tries of an asset whose fault may pass."""

FIRST_WAIT_S = 5.0
"""Before the first of them; each further wait is three times as long."""


@contextmanager
def plain_errors(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turns what the library says is wrong into a failed step with that message, logged on a line of its own.

    Raises:
        dagster.RetryRequested: in place of a fault that may pass, as long as tries are left.
        dagster.Failure: in place of any other `JepaError`, and of what the system says: that names the file.
    """
    try:
        yield
    except (JepaError, OSError, MemoryError) as error:
        message = str(error) or type(error).__name__
        tries = context.op_execution_context.retry_number
        if may_pass(error) and tries < RETRIES:
            wait = FIRST_WAIT_S * 3**tries
            context.log.warning(f"{message}. This may pass: trying again in {wait:.0f} s ({tries + 1} of {RETRIES})")
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=wait) from error
        # The message is for people; the traceback that Dagster prints around it is not.
        context.log.error(message)
        raise dg.Failure(description=message, allow_retries=False) from error
