"""The condition that an item was updated since, in the two dialects that STAC APIs take."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pystac_client
from pystac_client.conformance import ConformanceClasses


def updated_since(search: Mapping[str, Any], client: pystac_client.Client, since: datetime) -> dict[str, Any] | None:
    """The search, narrowed to items that were updated at a time or later.

    Args:
        search: parameters, as `pystac_client.Client.search` takes them.
        client: of the API; says whether it takes the extension `query` or `filter`.
        since: the time, UTC.

    Returns:
        None where the API takes neither, or the search has conditions of its own that this one cannot be added to.
    """
    # Whole seconds: servers that compare text would sort a fraction before the letter behind the seconds.
    time = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    if "filter" not in search and client.conforms_to(ConformanceClasses.QUERY):
        query = _in_query(search.get("query"), time)
        if query is not None:
            return {**search, "query": query}
    if client.conforms_to(ConformanceClasses.FILTER):
        condition = {"op": ">=", "args": [{"property": "updated"}, {"timestamp": time}]}
        own = search.get("filter")
        if own is None:
            return {**search, "filter": condition}
        if isinstance(own, dict):
            return {**search, "filter": {"op": "and", "args": [own, condition]}}
    return None


def _in_query(own: Any, time: str) -> Any:
    if own is None:
        return {"updated": {"gte": time}}
    if isinstance(own, dict):
        mine = own.get("updated", {})
        # Two lower bounds of one property cannot be said.
        if isinstance(mine, dict) and not {"gte", "eq"} & set(mine):
            return {**own, "updated": {**mine, "gte": time}}
    return None
