import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_core.archive.scene import ArchiveError
from jepa_core.radar.annotation import read_annotation
from jepa_core.radar.calibration import read_calibration, read_noise
from tests.jepa_core.radar.products import Image

IMAGE = Image(rows=2, columns=3)
BLOCK = (0, 899, 0, 1299, np.arange(0, 900, 300), np.ones(3))
READERS = {
    "annotation": (read_annotation, [IMAGE.annotation()]),
    "calibration": (read_calibration, [IMAGE.calibration()]),
    "noise": (read_noise, [IMAGE.old_noise(), IMAGE.new_noise(blocks=[BLOCK])]),
}
GARBAGE = ["", " ", "nan", "-inf", "1e308", "-1e308", "1e999", "0", "-7", "x", "1 2 3", "9" * 400, "1_0", "é", "0x1"]


def survives(reader, data):
    try:
        read = reader(data, "f.xml")
    except ArchiveError:
        return
    # What is accepted can be used.
    table = getattr(read, "sigma_nought", None) or getattr(read, "power", None)
    for part in (table, read if hasattr(read, "power") else None):
        if part is not None:
            assert part.block(0, 50, 0, 70).shape == (50, 70)


@pytest.mark.parametrize("kind", READERS)
@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=2000)
def test_no_bytes_do_anything_but_raise_an_archive_error(kind, data):
    survives(READERS[kind][0], data)


@pytest.mark.parametrize("kind", READERS)
@given(draw=st.data())
@settings(max_examples=150, deadline=2000)
def test_damaged_files_raise_nothing_but_archive_errors(kind, draw):
    reader, files = READERS[kind]
    text = draw.draw(st.sampled_from(files)).decode()
    for _ in range(draw.draw(st.integers(1, 3))):
        leaves = list(re.finditer(r"<(\w+)[^<>]*>([^<>]*)</\1>", text))
        hit = draw.draw(st.sampled_from(leaves)) if leaves else None
        how = draw.draw(st.sampled_from(["drop", "garbage", "one value", "count", "cut", "twice"]))
        if hit is None or how == "cut":
            text = text[: draw.draw(st.integers(0, len(text)))]
        elif how == "drop":
            text = text[: hit.start()] + text[hit.end() :]
        elif how == "twice":
            text = text[: hit.end()] + hit[0] + text[hit.end() :]
        elif how == "count":
            text = re.sub(r'count="\d+"', f'count="{draw.draw(st.integers(-1, 10**30))}"', text)
        else:
            values = hit[2].split() if how == "one value" else []
            at = draw.draw(st.integers(0, max(len(values) - 1, 0)))
            values[at : at + 1] = [draw.draw(st.one_of(st.sampled_from(GARBAGE), st.floats().map(str)))]
            text = text[: hit.start(2)] + " ".join(values) + text[hit.end(2) :]
    survives(reader, text.encode())


@pytest.mark.parametrize("kind", READERS)
def test_entities_that_blow_up_are_refused(kind):
    bomb = b'<!DOCTYPE a [<!ENTITY b "0123456789">]><a>' + b"&b;" * 100 + b"</a>"
    with pytest.raises(ArchiveError, match=r"f\.xml is not readable XML"):
        READERS[kind][0](bomb, "f.xml")
