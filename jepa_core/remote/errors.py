"""What can go wrong with object storage, in words that say what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from jepa_core.errors import JepaError


class RemoteError(JepaError):
    """Object storage cannot be read or written."""


class DownError(RemoteError):
    """The server does not answer."""

    may_pass = True


class GoneError(RemoteError):
    """An object that was listed is no longer there."""

    may_pass = True


class LeaseLostError(RemoteError):
    """Another process took the right to write over."""

    may_pass = True


_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_NO_KEY = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound")
_DOWN = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ProxyError")


@contextmanager
def plain_remote_errors(address: str) -> Iterator[None]:
    """Turns what fsspec and its clients raise into one plain line.

    Raises:
        GoneError: an object is not there.
        DownError: the server does not answer.
        RemoteError: anything else.
    """
    try:
        yield
    except RemoteError:
        raise
    except ImportError as error:
        raise RemoteError(f"{address}: {missing_package(address)}") from error
    # fsspec hands on whatever kinds its clients raise, botocore's among them, which is imported nowhere here.
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not is_no_bucket(error):
            raise GoneError(f"{address}: {error} is not there any more; run again") from error
        kind = DownError if _is_down(error) else RemoteError
        raise kind(f"{address}: {_said(error)}") from error


def is_no_bucket(error: Exception) -> bool:
    """Whether it is the whole bucket that is not there."""
    return "specified bucket does not exist" in str(error) or "NoSuchBucket" in str(error)


def missing_package(address: str) -> str:
    """What to install for addresses of this kind."""
    package = _EXTRAS.get(address.partition("://")[0])
    if package == "s3fs":
        return "needs the package s3fs. Run: pip install 'jepa-search[s3]'"
    return f"needs a package that fsspec opens it with{f'. Run: pip install {package}' if package else ''}"


def _is_down(error: Exception) -> bool:
    return type(error).__name__ in _DOWN or isinstance(error, (ConnectionError, TimeoutError))


def _said(error: Exception) -> str:
    kind, text = type(error).__name__, " ".join(str(error).split()) or type(error).__name__
    if kind in _NO_KEY:
        return f"no key was found ({text}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if isinstance(error, FileNotFoundError):
        return f"there is no such bucket ({text}). Make it, or correct JEPA_DATA"
    if isinstance(error, PermissionError):
        return (
            f"the server refuses the key ({text}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to one that may "
            "list, read, write and delete there"
        )
    if _is_down(error):
        return f"the server does not answer ({text}). See that it runs, and that AWS_ENDPOINT_URL names it; run again"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no room for this machine's copy ({text}). Free some, or set JEPA_CACHE to a folder on a larger disk"
    return f"{text} ({kind}); run again"
