"""What is remembered of many listings, against a plain dictionary."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.archive.stac_item_file import ItemFile
from jepa_core.archive.stac_memory import Head, Memory
from jepa_core.archive.stac_watch import _Merge as Merge
from jepa_core.fingerprint import fingerprint

NOW = datetime(2026, 1, 1, tzinfo=UTC)

PLATFORMS = {"sentinel-1a": "sentinel1", "sentinel-2b": "sentinel2", "landsat-8": ""}

ITEMS = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abcde"),
        "note": st.text(max_size=3),
        "properties": st.fixed_dictionaries(
            {"platform": st.sampled_from(list(PLATFORMS))},
            optional={
                "updated": st.one_of(
                    st.integers(0, 3000).map(lambda minutes: (NOW - timedelta(minutes=minutes)).isoformat()),
                    st.sampled_from(
                        [None, 5, "", "soon", "2025-06-01", "2025-06-01T00:00:00.5Z", "2200-01-01T00:00:00Z"]
                    ),
                )
            },
        ),
    }
)

LISTINGS = st.lists(st.tuples(st.booleans(), st.lists(ITEMS, max_size=8)), max_size=6)
"""Whether a listing is whole, and what came."""


def times(items):
    """When each was updated; None where it does not say."""
    found = []
    for item in items:
        try:
            time = datetime.fromisoformat(item["properties"].get("updated"))
            found.append(time if time.tzinfo else time.replace(tzinfo=UTC))
        except (TypeError, ValueError):
            found.append(None)
    return found


@settings(deadline=None, max_examples=25)
@given(LISTINGS)
def test_listings_merged_are_what_a_dictionary_holds(listings):
    with tempfile.TemporaryDirectory() as folder:
        memory, plain = Memory(Path(folder)), {}
        head = Head("http://x", {}, NOW, None, None, False, 0, "", "")
        for whole, came in listings:
            known = memory.read()
            with ItemFile(memory.folder) as file:
                merge = Merge(memory, known.items if known else {}, file, NOW)
                if whole:
                    merge.start_anew()
                    plain.clear()
                for item in came:
                    merge.take(item["id"], item)
                    plain[item["id"]] = item
                if whole:
                    merge.drop_unseen()
            memory.write(known.head if known else head, merge.items, merge.changed)
            updated = times(came)
            assert merge.dated == all(updated)
            assert merge.newest == max((time for time in updated if time and time <= NOW), default=None)
            known = memory.read()
            assert {n: k.stamp for n, k in known.items.items()} == {n: fingerprint(i) for n, i in plain.items()}
            for name, kept in known.items.items():
                assert kept.sensor == PLATFORMS[plain[name]["properties"]["platform"]]
                assert not kept.sensor or memory.recall(name, kept) == plain[name]
