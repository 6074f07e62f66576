"""Small scenes of every kind, ways to spoil them, and what must come of a bad scene beside a good one."""

import csv
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.patch_store import read_manifest, read_quarantine
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel1_safe import write_sentinel1_safe
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe
from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac

WORLD = ConstantWorld()
# As small as may be: GDAL writes no tile of JPEG 2000 below 32 pixels, here of 60 m.
PLACE = {"left": 420_000.0, "top": 5_401_200.0, "size_m": 1_920.0}
GOOD, BAD = datetime(2023, 6, 3, 10, 1, 2, tzinfo=UTC), datetime(2023, 6, 8, 10, 1, 2, tzinfo=UTC)


def s2_safe(root, time=BAD, **given):
    return write_sentinel2_safe(root, WORLD, time=time, copies=False, **(PLACE | given))


def s1_safe(root, time=BAD, **given):
    place = {"longitude": 13.92, "latitude": 48.75, "lines": 250, "samples": 260}
    return write_sentinel1_safe(root, WORLD, time=time, **(place | given))


def s2_stac(root, time=BAD, **given):
    return write_sentinel2_stac(root, WORLD, time=time, **(PLACE | given))


def s1_rtc(root, time=BAD, **given):
    return write_sentinel1_rtc(root, WORLD, time=time, **(PLACE | given))


def table(root, time=BAD, scene="bad", **given):
    """A scene of one file with a band of each kind, and its lines in `scenes.csv`."""
    values = given.pop("values", None)
    if values is None:
        values = np.full((12, 240, 240), 1000, dtype="uint16")
    path = tiff(root / f"{scene}.tif", values, **given)
    lines = root / "scenes.csv"
    first = not lines.exists()
    with lines.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if first:
            writer.writerow(["scene", "sensor", "time", "band", "file", "number", "unit", "nodata"])
        for number, band in enumerate(SENTINEL2.band_names, 1):
            writer.writerow([scene, "s2", time.isoformat(), band, path.name, number, "DN", ""])
    return path


def tiff(path, values, crs="EPSG:32633", left=420_000.0, top=5_401_200.0, pixel=10.0, names=(), nodata=None):
    size = {"width": values.shape[2], "height": values.shape[1], "count": len(values), "dtype": values.dtype}
    place = {"crs": crs, "transform": from_origin(left, top, pixel, pixel)}
    with rasterio.open(path, "w", driver="GTiff", nodata=nodata, **size, **place) as file:
        file.write(values)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
    return path


class Bench:
    """An archive and a data root."""

    def __init__(self, folder):
        self.root = folder / "archive"
        self.root.mkdir()
        self.store = Store.at(folder / "data")

    def cut(self, sensor):
        return extract(self.store, Archive(self.root).sources(sensor), sensor, CutConfig())

    def scenes(self, sensor):
        return set(read_manifest(self.store, sensor)["scene_id"])

    def quarantined(self, sensor):
        return [(row.place, row.reason) for row in read_quarantine(self.store, sensor).itertuples()]

    def place(self, path):
        return str(path.relative_to(self.root))


def only(folder, pattern):
    (found,) = folder.rglob(pattern)
    return found


def shorten(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def edit(path, pattern, by, count=0):
    text, times = re.subn(pattern, by, path.read_text(), count=count, flags=re.DOTALL)
    assert times
    path.write_text(text)


def repaint(path, change):
    """The raster with other pixels."""
    with rasterio.open(path) as file:
        values, profile = file.read(), file.profile
    values = change(values)
    profile.update(dtype=values.dtype)
    if path.suffix == ".jp2":
        profile.update(QUALITY="100", REVERSIBLE="YES")
    for key in ("blockxsize", "blockysize", "tiled", "interleave"):
        profile.pop(key, None)
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


def rezip(path, change):
    """The zip with other members: `change` gets a dictionary of bytes by name, and may change it."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def asset(path, key):
    item = json.loads(path.read_text())
    return path.parent / item["assets"][key]["href"]


def change_item(path, change):
    item = json.loads(path.read_text())
    change(item)
    path.write_text(json.dumps(item))


def without(*keys):
    def change(item):
        part = item
        for key in keys[:-1]:
            part = part[key]
        del part[keys[-1]]

    return change


def setting(value, *keys):
    def change(item):
        part = item
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


def set_aside_alone(bench, sensor, bad):
    """Cuts twice: what is bad is in quarantine with place and reason, the one good scene is in, the second run idles.

    Args:
        bench: with one good scene.
        sensor: of all scenes.
        bad: a pattern of the reason by place.
    """
    first = bench.cut(sensor)
    found = dict(bench.quarantined(sensor))
    assert set(found) == set(bad)
    for place, says in bad.items():
        assert re.search(says, found[place]), f"{says} is not in: {found[place]}"
    assert (first.scenes, first.scenes_new, first.scenes_quarantined) == (1, 1, len(bad))
    assert first.share_quarantined == pytest.approx(len(bad) / (len(bad) + 1))
    before = stamps(bench, sensor)
    again = bench.cut(sensor)
    assert (again.scenes, again.scenes_new, again.scenes_quarantined) == (1, 0, len(bad))
    assert dict(bench.quarantined(sensor)) == found
    assert stamps(bench, sensor) == before


def stamps(bench, sensor):
    return {path: path.stat().st_mtime_ns for path in bench.store.patches(sensor).glob("*/**/*")}


def spoilt(bench, write, faults):
    """Writes and spoils a scene for each fault, a day each; gives what must be said by place."""
    bad = {}
    for i, (harm, says) in enumerate(faults.values()):
        path = write(bench.root, BAD + timedelta(days=i))
        harm(path)
        bad[bench.place(path)] = says
    return bad
