from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rasterio.warp import transform
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from jepa_core.archive.scene import ArchiveError
from jepa_core.grid import Frame
from jepa_core.radar.annotation import read_annotation
from jepa_core.radar.geocoding import Geocoder
from jepa_core.radar.outline import outline_of
from tests.jepa_core.radar.products import Image

SAFE = Path(__file__).parents[4] / "shared" / "data" / "scenes" / "safe"


def grid_of(image):
    return read_annotation(image.annotation(), "a.xml").grid


def frame_around(grid, epsg, lines, samples, margin=1000):
    """A frame of 10 m pixels around the image's outline."""
    x, y = (np.array(v) for v in transform("EPSG:4326", f"EPSG:{epsg}", *map(list, outline_of(grid, lines, samples))))
    left, top = np.floor(x.min() / 10) * 10 - margin, np.ceil(y.max() / 10) * 10 + margin
    width, height = (x.max() + margin - left) / 10, (top - y.min() + margin) / 10
    return Frame(epsg, left, top, int(width), int(height), 10.0)


def places_of(grid, frame, rows, columns):
    """Line and sample of a block of the frame, as a view reads it."""
    geocoder = Geocoder(grid, frame, "image")
    first = columns.start // 16 * 16
    block = geocoder.strip(rows.start, len(rows)).block(first, len(rows), columns.stop - first)
    return block[:, :, columns.start - first :]


# Large enough for what a place on the Earth changes; relief needs the cells of the full size.
small = partial(Image, lines=600, samples=800)

CASES = {
    "descending": (small(), 32632),
    "ascending": (small(ascending=True), 32632),
    "next zone": (small(longitude=12.0), 32633),
    "own zone at its border": (small(longitude=12.0), 32632),
    "two zones off": (small(longitude=1.0), 32632),
    "across 180 degrees, from the west": (small(longitude=179.99), 32660),
    "across 180 degrees, from the east": (small(longitude=-179.99, ascending=True), 32601),
    "across 180 degrees, in the other zone": (small(longitude=179.99), 32601),
    "70 north": (small(latitude=70.0), 32632),
    "78 north, ascending": (small(latitude=78.0, ascending=True), 32633),
    "south": (small(latitude=-33.0), 32732),
    "mountains": (Image(relief_m=300.0), 32632),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_are_found_where_another_hand_finds_them(case):
    image, epsg = CASES[case]
    grid = grid_of(image)
    frame = frame_around(grid, epsg, image.lines, image.samples)
    places = places_of(grid, frame, range(frame.height), range(frame.width))
    forward = image.reference(epsg)
    inside = (places[0] >= 0) & (places[0] <= image.lines - 1) & (places[1] >= 0) & (places[1] <= image.samples - 1)
    # As many pixels as the image is large: none is lost, none is found twice.
    assert inside.mean() * inside.size == pytest.approx(
        image.lines * image.samples, rel=0.25 if image.relief_m else 0.01
    )
    rows, columns = np.nonzero(inside)
    x, y = frame.left + 10 * (columns + 0.5), frame.top - 10 * (rows + 0.5)
    back = forward(places[:, inside].T)
    # Metres to pixels of 10 m; relief here is on cells five times smaller than real ones.
    assert np.hypot(back[:, 0] - x, back[:, 1] - y).max() / 10 < (0.05 if image.relief_m else 0.01)
    # And from the other side: the model turned around by a solver that knows nothing of ours.
    for pick in np.random.default_rng(0).choice(len(rows), 12, replace=False):
        target = np.array([x[pick], y[pick]])
        found = least_squares(
            lambda place, to=target: forward(place)[0] - to, [image.lines / 2, image.samples / 2], xtol=1e-12
        )
        if found.cost < 1e-4:  # it may stop at a crease of the mountains
            np.testing.assert_allclose(places[:, rows[pick], columns[pick]], found.x, atol=0.1)


def test_every_pixel_of_the_image_is_found_nearby_by_search():
    # Nearest of all image pixels, none interpolated: within half a pixel's diagonal of what was solved for.
    image = Image(lines=200, samples=300, ascending=True, relief_m=20.0)
    grid = grid_of(image)
    frame = frame_around(grid, 32632, image.lines, image.samples)
    places = places_of(grid, frame, range(frame.height), range(frame.width))
    line, sample = np.meshgrid(np.arange(200), np.arange(300), indexing="ij")
    known = image.reference(32632)(np.stack([line.ravel(), sample.ravel()], axis=1))
    inside = (places[0] > 1) & (places[0] < 198) & (places[1] > 1) & (places[1] < 298)
    rows, columns = np.nonzero(inside)
    target = np.stack([frame.left + 10 * (columns + 0.5), frame.top - 10 * (rows + 0.5)], axis=1)
    _, nearest = cKDTree(known).query(target)
    nearest_place = np.stack([nearest // 300, nearest % 300])
    # Half a pixel along each axis, and a little for the slant that relief gives to pixels.
    assert np.abs(places[:, inside] - nearest_place).max() < 0.8


def test_a_block_within_the_frame_is_what_the_whole_has_there():
    image = Image(relief_m=300.0)
    grid = grid_of(image)
    frame = frame_around(grid, 32632, image.lines, image.samples)
    whole = places_of(grid, frame, range(frame.height), range(frame.width))
    part = places_of(grid, frame, range(301, 337), range(517, 604))
    np.testing.assert_allclose(part, whole[:, 301:337, 517:604], atol=1e-2)


def test_the_rim_goes_on_beyond_the_grid():
    # Grids end at the last pixel's centre; pixels half beyond it still have a place.
    image = Image()
    geocoder = Geocoder(grid_of(image), Frame(32632, 0, 0, 1, 1, 10.0), "image")
    place = np.array([[-0.4, 899.4, -0.4], [-0.4, 1299.4, 1299.4]])
    np.testing.assert_allclose(geocoder.solve(geocoder.on_map(*place), place + 5), place, atol=0.01)


def test_relief_as_rough_as_the_himalaya_loses_no_pixel():
    # 0 to 6,000 m from one point of a real product's grid to the next, 13 km on.
    image = Image(lines=16685, samples=25788, rows=10, columns=21, relief_m=6000.0)
    grid = grid_of(image)
    lost, worst = 0, 0.0
    forward = image.reference(32632)
    middle = forward([[8000, 12000]])[0]
    frame = Frame(32632, float(middle[0]) // 10 * 10 - 30_000, float(middle[1]) // 10 * 10 + 30_000, 6000, 6000, 10.0)
    for row in range(0, 6000, 600):
        places = places_of(grid, frame, range(row, row + 64), range(6000))
        lost += np.isnan(places).any(axis=0).sum()
        back = forward(np.moveaxis(places, 0, -1).reshape(-1, 2))
        rows, columns = np.divmod(np.arange(64 * 6000), 6000)
        x, y = frame.left + 10 * (columns + 0.5), frame.top - 10 * (row + rows + 0.5)
        worst = max(worst, np.nanmax(np.hypot(back[:, 0] - x, back[:, 1] - y)))
    assert lost == 0
    assert worst / 10 < 0.1


def test_the_outline_bounds_the_image_across_180_degrees():
    image = Image(longitude=179.99, latitude=60.0)
    grid = grid_of(image)
    longitudes, latitudes = outline_of(grid, image.lines, image.samples)
    assert np.abs(longitudes).max() <= 180
    assert (longitudes > 179).any()
    assert (longitudes < -179).any()
    for epsg in (32660, 32601):
        x, y = (np.array(v) for v in transform("EPSG:4326", f"EPSG:{epsg}", longitudes.tolist(), latitudes.tolist()))
        corners = image.reference(epsg)([[-0.5, -0.5], [-0.5, 1299.5], [899.5, -0.5], [899.5, 1299.5]])
        bounds = corners.min(axis=0), corners.max(axis=0)
        np.testing.assert_allclose([x.min(), y.min()], bounds[0], atol=1)
        np.testing.assert_allclose([x.max(), y.max()], bounds[1], atol=1)


def test_a_zone_on_the_other_side_of_the_earth_is_refused():
    with pytest.raises(ArchiveError, match="image cannot be placed in zone EPSG:32632"):
        Geocoder(grid_of(Image(longitude=99.0, latitude=0.0)), Frame(32632, 0, 0, 1, 1, 10.0), "image")


@pytest.mark.slow
def test_the_real_grid_is_turned_around():
    found = sorted(SAFE.glob("*.SAFE/annotation/*-vv-*.xml"))
    if not found:
        pytest.skip(f"no real product at {SAFE}")
    annotation = read_annotation(found[0].read_bytes(), found[0].name)
    grid = annotation.grid
    for epsg in (32632, 32633):
        frame = frame_around(grid, epsg, annotation.lines, annotation.samples)
        x, y = transform("EPSG:4326", f"EPSG:{epsg}", grid.longitude.ravel().tolist(), grid.latitude.ravel().tolist())
        xy = np.stack([x, y], axis=-1).reshape(*grid.line.shape, 2)
        nodes = (grid.line[:, 0], grid.pixel[0])
        forward = RegularGridInterpolator(nodes, xy, bounds_error=False, fill_value=None)
        for row in range(500, frame.height, 8000):
            places = places_of(grid, frame, range(row, row + 16), range(frame.width))
            inside = (places[0] >= 0) & (places[0] < annotation.lines) & (places[1] >= 0)
            inside &= places[1] < annotation.samples
            assert inside.any()
            rows, columns = np.nonzero(inside)
            x, y = frame.left + 10 * (columns + 0.5), frame.top - 10 * (row + rows + 0.5)
            back = forward(places[:, inside].T)
            assert np.hypot(back[:, 0] - x, back[:, 1] - y).max() / 10 < 0.01
