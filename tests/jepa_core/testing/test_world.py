"""The ground: the same whatever looks at it, smooth, in range."""

import numpy as np
import pytest

from jepa_core.testing.land_cover import BANDS
from jepa_core.testing.place import LONLAT, PixelGrid, to_epsg
from jepa_core.testing.plain_worlds import NORTHWARD, ConstantWorld, RampWorld
from jepa_core.testing.world import MixedGround, World

LEFT, TOP = 300_000.0, 5_400_000.0


@pytest.fixture(scope="module")
def grid() -> PixelGrid:
    return PixelGrid.square(32633, LEFT, TOP, 6_000, 20)


def test_one_place_is_the_same_in_any_coordinates(grid):
    world = World(1)
    x, y = grid.centres(0, 3)
    for epsg in (LONLAT, 32632, 32634):
        there = to_epsg(x, y, 32633, epsg)
        assert world.reflectance("B08", *there, epsg) == pytest.approx(world.reflectance("B08", x, y, 32633), abs=1e-6)
        assert world.sigma0("VV", *there, epsg) == pytest.approx(world.sigma0("VV", x, y, 32633), abs=1e-6)


def test_a_seed_is_a_world(grid):
    x, y = grid.centres()
    first = World(1).reflectance("B04", x, y, 32633)
    assert (first == World(1).reflectance("B04", x, y, 32633)).all()
    assert not np.allclose(first, World(2).reflectance("B04", x, y, 32633), atol=0.01)


def test_values_lie_in_range_and_bilinear_interpolation_meets_them(grid):
    world = World(1)
    x, y = grid.centres()
    for band in BANDS:
        values = world.reflectance(band, x, y, 32633)
        assert values.min() >= 0.0001
        assert values.max() <= 0.8
    # Midway between four samples 10 m apart, their mean is the truth but for a small part of the contrast.
    fine = PixelGrid.square(32633, LEFT, TOP, 6_000, 10)
    values = world.reflectance("B08", *fine.centres(), 32633)
    mean = (values[1:, 1:] + values[:-1, 1:] + values[1:, :-1] + values[:-1, :-1]) / 4
    between = world.reflectance(
        "B08", *(a[1:, 1:] + d for a, d in zip(fine.centres(), (-5.0, 5.0), strict=True)), 32633
    )
    error = np.abs(mean - between)
    assert np.sqrt(np.mean(error**2)) < 0.004
    assert error.max() < 0.05


def test_every_class_takes_some_ground_in_patches_of_fields_with_soft_edges(grid):
    fine = PixelGrid.square(32633, LEFT, TOP, 12_000, 10)
    ground = World(1).ground(*fine.centres(), 32633)
    assert isinstance(ground, MixedGround)
    share = ground.fractions.mean(axis=(0, 1))
    assert (share > 0.03).all()
    kind = ground.fractions.argmax(axis=-1)
    changes_per_km = (kind[:, 1:] != kind[:, :-1]).mean() * 100
    assert 2 < changes_per_km < 10
    # Mixed ground along an edge: its area over the edges' length.
    mixed = (ground.fractions.max(axis=-1) < 0.8).mean() * 1000 / changes_per_km
    assert 15 < mixed < 60


def test_clouds_cover_the_share_that_was_asked_for(grid):
    world = World(1)
    big = PixelGrid.square(32633, LEFT, TOP, 60_000, 100)
    x, y = big.centres()
    assert set(np.unique(world.scl(x, y, 32633))) == {4, 5, 6}
    classes = world.scl(x, y, 32633, clouds=0.3)
    assert np.isin(classes, (8, 9, 10)).mean() == pytest.approx(0.3, abs=0.04)
    assert {3, 8, 9, 10} <= set(np.unique(classes))
    assert (classes != world.scl(x, y, 32633, clouds=0.3, sky=1)).mean() > 0.2


def test_a_ramp_says_where_it_was_read(grid):
    world = RampWorld(LEFT, TOP - 20_000)
    x, y = grid.centres()
    for band in BANDS:
        truth = y if band in NORTHWARD else x
        read = world.coordinate(band, world.reflectance(band, x, y, 32633))
        np.testing.assert_allclose(read, truth, rtol=0, atol=1e-6)
    np.testing.assert_allclose(world.coordinate("VV", world.sigma0("VV", x, y, 32633)), x, rtol=0, atol=1e-6)
    np.testing.assert_allclose(world.coordinate("VH", world.sigma0("VH", x, y, 32633)), y, rtol=0, atol=1e-6)


def test_a_constant_world_has_one_value_a_band(grid):
    world = ConstantWorld({"B02": 0.3})
    x, y = grid.centres()
    assert (world.reflectance("B02", x, y, 32633) == 0.3).all()
    assert (world.sigma0("VV", x, y, 32633) == 0.1).all()
    assert (world.scl(x, y, 32633) == 4).all()
