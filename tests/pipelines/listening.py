"""On which addresses a server and the processes that it started listen."""

import ipaddress
import os

import psutil


def addresses(pid: int) -> set[str]:
    """Of all TCP sockets that listen, of the processes of a session.

    Args:
        pid: of the process that leads the session, as `start_new_session` makes it.
    """
    found = set()
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid:
                connections = process.net_connections("tcp")
                found |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def beyond_this_machine(pid: int) -> set[str]:
    """Those of the addresses that others can reach.

    Raises:
        AssertionError: nothing listens, so that nothing is shown.
    """
    found = addresses(pid)
    assert found
    return {address for address in found if not ipaddress.ip_address(address).is_loopback}
