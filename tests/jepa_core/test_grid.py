import json
import tarfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform

from jepa_core.archive.sample import COMMON
from jepa_core.grid import Cell, Grid, centres, sentinel2_tile_corner

SHARED = Path(__file__).parents[3] / "shared" / "data" / "scenes" / "earth-search"


def test_the_corner_of_a_tile_is_that_of_its_real_stac_item():
    item = SHARED / "S2A_33TWM_20230815_0_L2A" / "S2A_33TWM_20230815_0_L2A.json"
    if not item.exists():
        pytest.skip(f"the real STAC items are not at {SHARED}")
    with rasterio.open(item.parent / "B02.tif") as file:
        corner = file.bounds.left, file.bounds.top
        epsg = file.crs.to_epsg()
    assert sentinel2_tile_corner("33TWM") == (epsg, *corner)


def test_the_six_georeferenced_pairs_of_the_wheel_lie_where_their_names_say(wheels):
    seen = 0
    with ExitStack() as stack:
        wheel = stack.enter_context(zipfile.ZipFile(wheels / COMMON.file_name))
        file = stack.enter_context(wheel.open("bigearthnet_common/BigEarthNet-S1-Example.tar.bz2"))
        tar = stack.enter_context(tarfile.open(fileobj=file, mode="r:bz2"))
        for member in tar.getmembers():
            if not member.name.endswith(".json"):
                continue
            tile, column, row = member.name.split("/")[-2].split("_")[-3:]
            epsg, x, y = sentinel2_tile_corner(tile)
            fields = json.load(tar.extractfile(member))
            assert f'AUTHORITY["EPSG","{epsg}"]]' in fields["projection"]
            assert x + 1200 * int(column) == fields["coordinates"]["ulx"]
            assert y - 1200 * int(row) == fields["coordinates"]["uly"]
            seen += 1
    assert seen == 6


@pytest.mark.parametrize("name", ["", "33UU", "61UUP", "00UUP", "33UIP", "33UAP", "33MUP", "33uup"])
def test_what_is_no_northern_tile_is_refused(name):
    with pytest.raises(ValueError, match=r"tile|column"):
        sentinel2_tile_corner(name)


@given(
    zone=st.integers(1, 60),
    band=st.sampled_from("NPQRSTUVWX"),
    column=st.integers(0, 7),
    row=st.sampled_from("ABCDEFGHJKLMNPQRSTUV"),
)
def test_every_tile_lies_on_the_sixty_metre_lattice_at_or_above_its_latitude_band(zone, band, column, row):
    letters = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    epsg, x, y = sentinel2_tile_corner(f"{zone:02d}{band}{letters[column]}{row}")
    assert epsg == 32600 + zone
    assert x % 60 == 0
    assert y % 60 == 0
    _, (latitude,) = transform(f"EPSG:{epsg}", "EPSG:4326", [x + 50_000], [y])
    # The square touches its band or lies above it, by less than one cycle of row letters (2,000 km, 18 degrees).
    south = "NPQRSTUVWX".index(band) * 8
    assert south - 0.3 <= latitude < south + 19.5


@given(
    x=st.floats(100_000, 900_000),
    y=st.floats(0, 9_000_000),
    width=st.floats(1, 9_000),
    height=st.floats(1, 9_000),
)
def test_the_cells_within_a_rectangle_are_those_of_the_zone_s_grid_that_meet_it(x, y, width, height):
    rows = Grid().cells_within(32633, (x, y, x + width, y + height))
    cells = [cell for row in rows for cell in row]
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.xmin % 1200 == cell.ymin % 1200 == 0
        assert (cell.xmax - cell.xmin, cell.ymax - cell.ymin) == (1200, 1200)
        assert cell.xmin < x + width
        assert cell.xmax > x
        assert cell.ymin < y + height
        assert cell.ymax > y
    assert cells[0].xmin <= x
    assert cells[0].ymax >= y + height
    assert cells[-1].xmax >= x + width
    assert cells[-1].ymin <= y


def test_cells_of_one_square_have_one_id_and_a_centre_inside():
    a = Cell(32633, 404400, 5341200, 405600, 5342400)
    assert a.id == Cell(32633, 404400.0, 5341200.0, 405600.0, 5342400.0).id
    assert a.id != Cell(32632, 404400, 5341200, 405600, 5342400).id
    ((lon, lat),) = centres([a])
    assert (round(lon, 3), round(lat, 3)) == (13.721, 48.222)
