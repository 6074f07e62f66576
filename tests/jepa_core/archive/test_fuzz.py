"""Whatever lies in an archive, its readers give a scene that can be put into a table, or an `ArchiveError`."""

import copy
import json
import re
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jepa_core.archive import bigearthnet, scene_table, sentinel1_safe, sentinel2_safe, stac
from jepa_core.archive.scene import ArchiveError
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from tests.synthetic import write_pairs

READERS = (sentinel1_safe, sentinel2_safe, stac, bigearthnet, scene_table)
TIME = datetime(2023, 8, 15, 9, 50, 31, tzinfo=UTC)
PLACE = {"left": 300_000.0, "top": 5_400_000.0, "size_m": 2_400.0, "time": TIME}
QUICK = settings(max_examples=60, deadline=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
GARBAGE = ["", " ", "nan", "-inf", "1e308", "1e999", "0", "-7", "x", "9" * 400, "é", "05.09", "2023-08-15", "EPSG:1"]

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(GARBAGE),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def survives(root: Path) -> None:
    for sensor in (SENTINEL1, SENTINEL2):
        for reader in READERS:
            try:
                sources = list(reader.find_sources(root, sensor))
            except ArchiveError:
                continue
            for source in sources:
                try:
                    scene = source.read()
                except ArchiveError:
                    continue
                assert isinstance(scene.id, str)
                assert scene.time.tzinfo is not None
                assert scene.product.orbit_pass in ("ascending", "descending", "")
                assert scene.product.relative_orbit in (None, *range(1, 176))
                "".join([scene.product.processed, scene.product.baseline, scene.product.acquisition]).encode()


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """One archive of each kind, whole."""
    root = tmp_path_factory.mktemp("valid")
    world = ConstantWorld()
    write_sentinel2_safe(root / "s2", world, **PLACE)
    write_sentinel2_safe(root / "zip", world, zipped=True, **PLACE)
    write_sentinel1_safe(root / "s1", world, longitude=12.3, latitude=48.7, lines=60, samples=80, time=TIME)
    write_sentinel1_rtc(root / "rtc", world, **PLACE)
    write_sentinel1_rtc(root / "rtc11", world, stac_version="1.1.0", **PLACE)
    write_sentinel2_stac(root / "es", world, **PLACE)
    write_sentinel2_stac(root / "pc", world, dialect="planetary-computer", stac_version="1.1.0", **PLACE)
    write_pairs(root / "ben", 1)
    for name in ("s2", "zip", "s1", "rtc", "rtc11", "es", "pc", "ben"):
        survives(root / name)
    return root


@pytest.fixture
def harmed(valid, tmp_path):
    """A copy of `valid` for one test to harm."""
    return shutil.copytree(valid, tmp_path / "harmed")


def damaged_xml(draw, text):
    for _ in range(draw(st.integers(1, 3))):
        hits = list(re.finditer(r"<([\w:]+)[^<>]*>([^<>]*)</\1>", text))
        hit = draw(st.sampled_from(hits)) if hits else None
        how = draw(st.sampled_from(["drop", "twice", "garbage", "garbage", "cut", "attribute"]))
        if hit is None or how == "cut":
            text = text[: draw(st.integers(0, len(text)))]
        elif how == "drop":
            text = text[: hit.start()] + text[hit.end() :]
        elif how == "twice":
            text = text[: hit.end()] + hit[0] + text[hit.end() :]
        elif how == "garbage":
            text = text[: hit.start(2)] + draw(st.sampled_from(GARBAGE)) + text[hit.end(2) :]
        else:
            quoted = list(re.finditer(r'"[^"<>]*"', text))
            hit = draw(st.sampled_from(quoted))
            text = f'{text[: hit.start()]}"{draw(st.sampled_from(GARBAGE))}"{text[hit.end() :]}'
    return text


@pytest.mark.parametrize("name", ["s2/*.SAFE/MTD_MSIL2A.xml", "s2/*.SAFE/GRANULE/*/MTD_TL.xml", "s1/*/manifest.safe"])
@QUICK
@given(draw=st.data())
def test_damaged_xml(harmed, valid, name, draw):
    (path,), (whole,) = harmed.glob(name), valid.glob(name)
    path.write_text(damaged_xml(draw.draw, whole.read_text()))
    survives(harmed / name[:2])


@pytest.mark.parametrize("value", ["0", "-10000", "1e-300", "1e300"])
def test_a_quantification_that_cannot_be_is_refused(harmed, valid, value):
    name = "s2/*.SAFE/MTD_MSIL2A.xml"
    (path,), (whole,) = harmed.glob(name), valid.glob(name)
    tag = '<BOA_QUANTIFICATION_VALUE unit="none">'
    path.write_text(whole.read_text().replace(f"{tag}10000", f"{tag}{value}"))
    (source,) = sentinel2_safe.find_sources(harmed / "s2", SENTINEL2)
    with pytest.raises(ArchiveError, match=r"BOA_QUANTIFICATION_VALUE is .*; products have 10000"):
        source.read()


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def damaged_json(draw, value):
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(places(value), key=repr)))
        if not path:
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(values)
        else:
            del holder[path[-1]]
    return value


@pytest.mark.parametrize("kind", ["rtc", "rtc11", "es", "pc"])
@QUICK
@given(draw=st.data())
def test_damaged_items(harmed, valid, kind, draw):
    (path,), (whole,) = (harmed / kind).glob("*/*.json"), (valid / kind).glob("*/*.json")
    path.write_text(json.dumps(damaged_json(draw.draw, json.loads(whole.read_text()))))
    survives(harmed / kind)


@QUICK
@given(data=st.one_of(st.binary(max_size=200), values.map(lambda value: json.dumps(value).encode())))
def test_json_that_is_no_item(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    (tmp_path / "stac.json").write_bytes(data)
    survives(tmp_path)


@QUICK
@given(
    fields=st.fixed_dictionaries(
        {"type": st.just("Feature"), "stac_version": st.sampled_from(["1.0.0", "1.1.0", "0.9.0", 1, None])},
        optional={
            "id": st.sampled_from(["S1A_x", "S2A_x"]) | values,
            "properties": values,
            "assets": values,
            "links": values,
            "collection": values,
            "stac_extensions": values,
        },
    )
)
def test_items_of_anything(tmp_path, fields):
    (tmp_path / "a.json").write_text(json.dumps({"id": "S2A_x", **fields}))
    survives(tmp_path)


@QUICK
@given(
    entries=st.lists(st.dictionaries(st.sampled_from(["catalog", "bbox", "ids", "x"]), values, max_size=2), max_size=2)
)
def test_lists_of_catalogues(tmp_path, entries):
    (tmp_path / "stac.json").write_text(json.dumps(entries))
    survives(tmp_path)


@pytest.mark.parametrize("sensor", [SENTINEL1, SENTINEL2])
@QUICK
@given(draw=st.data())
def test_damaged_metadata_of_bigearthnet(harmed, valid, sensor, draw):
    name = f"ben/BigEarthNet-{sensor.short.upper()}/*/*.json"
    (path,), (whole,) = harmed.glob(name), valid.glob(name)
    path.write_text(json.dumps(damaged_json(draw.draw, json.loads(whole.read_text()))))
    survives(harmed / "ben")


@QUICK
@given(
    rows=st.lists(
        st.lists(
            st.sampled_from(["a", "s1", "s2", "VV", "B02", "a.tif", "dB", "DN", "1", "2023-08-15T10:00", *GARBAGE])
            | st.text(st.characters(codec="utf-8"), max_size=10),
            max_size=9,
        ),
        max_size=4,
    ),
    tail=st.binary(max_size=8),
)
def test_tables_of_scenes(tmp_path, rows, tail):
    header = "scene,sensor,time,band,file,number,unit,nodata\n"
    body = "\n".join(",".join(row) for row in rows)
    (tmp_path / "scenes.csv").write_bytes((header + body).encode() + tail)
    survives(tmp_path)


@QUICK
@given(data=st.binary(max_size=300))
def test_zips_of_anything(tmp_path, data):
    for mission in ("S1A_IW_GRDH", "S2A_MSIL2A"):
        (tmp_path / f"{mission}_x.zip").write_bytes(data)
    survives(tmp_path)


@pytest.fixture(scope="module")
def small_zip(valid, tmp_path_factory):
    """The product without its pixels, which nothing of its metadata opens."""
    (whole,) = (valid / "zip").glob("*.zip")
    path = tmp_path_factory.mktemp("small") / whole.name
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, b"" if name.endswith(".jp2") else source.read(name))
    survives(path.parent)
    return path


@settings(QUICK, max_examples=150)
@given(draw=st.data())
def test_damaged_zips(small_zip, tmp_path, draw):
    data = bytearray(small_zip.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        # Its directory is at the end: half of the harm goes there.
        first = draw.draw(st.sampled_from([0, max(len(data) - 3000, 0)]))
        at = draw.draw(st.integers(first, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    if draw.draw(st.integers(0, 9)) == 0:
        del data[draw.draw(st.integers(0, len(data) - 1)) :]
    (tmp_path / small_zip.name).write_bytes(data)
    survives(tmp_path)


def test_a_zip_with_a_nameless_entry(tmp_path):
    path = tmp_path / "S2A_MSIL2A_x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"")
    data = path.read_bytes()
    entry, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    # Its name of one letter, the name's length and that of the directory.
    directory = data[entry : entry + 28] + b"\0\0" + data[entry + 30 : entry + 46]
    size = len(directory).to_bytes(4, "little")
    path.write_bytes(data[:entry] + directory + data[end : end + 12] + size + data[end + 16 :])
    (source,) = sentinel2_safe.find_sources(tmp_path, SENTINEL2)
    with pytest.raises(ArchiveError, match="holds an entry without a name"):
        source.read()


def test_deflated_metadata_that_are_garbage(small_zip, tmp_path):
    data = bytearray(small_zip.read_bytes())
    with zipfile.ZipFile(small_zip) as archive:
        (entry,) = (info for info in archive.infolist() if info.filename.endswith("MTD_MSIL2A.xml"))
    start = entry.header_offset + 30 + len(entry.filename)
    for filler in (0xFF, 0x07, 0xED):
        data[start : start + 200] = bytes([filler]) * 200
        (tmp_path / small_zip.name).write_bytes(data)
        (source,) = sentinel2_safe.find_sources(tmp_path, SENTINEL2)
        with pytest.raises(ArchiveError, match=r"MTD_MSIL2A\.xml cannot be read"):
            source.read()
