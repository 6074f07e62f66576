import pytest
import torch

from jepa_core.losses.sigreg import sigreg
from jepa_core.variants.lejepa import LeJEPA
from jepa_core.variants.registry import ConfigError
from jepa_core.variants.variant import Encoded
from tests.jepa_core.variants.small import BANDS, CONFIGS, batch, built, descend

ONE = {"rgb": 3}


def encoded(model, images):
    generator = torch.Generator().manual_seed(0)
    return model.encode(images, model.draw(len(next(iter(images.values()))), generator))


def test_one_sensor_has_one_head_and_two_have_one_for_each_kind_of_search():
    one, two = built("lejepa", bands=ONE), built("lejepa")
    assert (one.purposes, one.paired) == (("same",), False)
    assert (two.purposes, two.paired) == (("same", "cross"), True)
    assert one.describe(batch(bands=ONE)["rgb"], "rgb").keys() == {"same"}


def test_a_single_head_serves_both_kinds_of_search_and_takes_all_views_as_one_set():
    single, two = built("lejepa", single_head=True), built("lejepa")
    assert (single.purposes, single.paired) == (("cross",), True)
    assert built("lejepa", bands=ONE, single_head=True).purposes == ("same",)
    images = batch()
    assert all(single.describe(images[name], name).keys() == {"cross"} for name in BANDS)
    rows = encoded(single, batch()).rows
    assert rows.keys() == {f"cross_{name}" for name in BANDS}
    loss = single.combine(Encoded(rows), torch.Generator().manual_seed(3))
    # What two heads would have of the cross-sensor one's views.
    unused = {f"same_{name}": torch.zeros_like(rows[f"cross_{name}"]) for name in BANDS}
    of_two = two.combine(Encoded(rows | unused), torch.Generator().manual_seed(3))
    assert loss.terms.keys() == {"views_cross", "sigreg_cross"}
    assert loss.terms["views_cross"] == of_two.terms["views_cross"]
    torch.testing.assert_close(loss.total, 0.95 * loss.terms["views_cross"] + 0.05 * loss.terms["sigreg_cross"])


def test_it_takes_one_sensor_or_two():
    with pytest.raises(ValueError, match="one sensor or two, not 3"):
        LeJEPA(CONFIGS["lejepa"], {"a": 1, "b": 1, "c": 1})


def test_views_are_cut_evenly_into_tokens():
    with pytest.raises(ConfigError, match="a view of 20 pixels is not cut evenly into tokens of 8"):
        built("lejepa", local_size=20)


def test_the_loss_is_lejepas_written_out():
    model = built("lejepa")
    rows = encoded(model, batch()).rows
    c = model.config
    got = model.combine(encoded(model, batch()), torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)

    def of(large, small):
        """Views by views: distance from the large ones' mean, and SIGReg of one view of every image at a time."""
        centre = torch.stack(large).mean(dim=0)
        apart = torch.stack([((view - centre) ** 2).mean() for view in large + small]).mean()
        normal = torch.stack(
            [sigreg(view, c.sigreg_slices, c.sigreg_knots, "lejepa", generator) for view in large + small]
        ).mean()
        return 0.95 * apart + 0.05 * normal

    def views(row, part):
        return list(rows[row][:, part].unbind(1))

    large, small = slice(0, 2), slice(2, None)
    a, b = BANDS
    expected = (
        of(views(f"same_{a}", large), views(f"same_{a}", small))
        + of(views(f"same_{b}", large), views(f"same_{b}", small))
        + of(
            views(f"cross_{a}", large) + views(f"cross_{b}", large),
            views(f"cross_{a}", small) + views(f"cross_{b}", small),
        )
    )
    torch.testing.assert_close(got.total, expected)


def test_the_same_sensor_head_knows_nothing_of_the_other_sensor():
    model = built("lejepa").eval()
    images = batch()
    other = images | {"sentinel2": torch.randn_like(images["sentinel2"])}
    a, b = encoded(model, images).rows, encoded(model, other).rows
    assert torch.equal(a["same_sentinel1"], b["same_sentinel1"])
    terms = [
        model.combine(e, torch.Generator().manual_seed(0)).terms
        for e in (encoded(model, images), encoded(model, other))
    ]
    assert terms[0]["views_same_sentinel1"] == terms[1]["views_same_sentinel1"]
    assert terms[0]["views_cross"] != terms[1]["views_cross"]


def test_both_sensors_views_of_a_place_are_drawn_apart():
    drawn = built("lejepa").draw(4, torch.Generator().manual_seed(0))
    assert drawn["global_crops_sentinel1"].shape == (4, 2, 2, 3)
    assert drawn["local_lighting_sentinel2"].shape == (4, 1, 12, 2)
    assert not torch.equal(drawn["global_crops_sentinel1"], drawn["global_crops_sentinel2"])


def test_without_small_views_the_large_ones_do():
    model = built("lejepa", local_views=0)
    rows = encoded(model, batch()).rows
    assert rows["cross_sentinel1"].shape == (6, 2, 8)
    assert model.training_loss(batch(), torch.Generator().manual_seed(0)).total.isfinite()


def test_training_brings_views_of_a_place_together_and_keeps_places_apart():
    """Places that differ in their bands' levels, as land covers do."""
    generator = torch.Generator().manual_seed(1)
    levels = {name: torch.randn(16, bands, 1, 1, generator=generator) for name, bands in BANDS.items()}
    images = {name: v + 0.3 * torch.randn(16, *v.shape[1:2], 32, 32, generator=generator) for name, v in levels.items()}
    model = built("lejepa", lighting=0.0)
    losses = descend(model, images, 60, rate=1e-2)
    assert losses[-1].total < 0.5 * losses[0].total
    model.eval()
    with torch.no_grad():
        a, b = (model.levels(images[name], name)["cross"] for name in BANDS)
    # The pair is the nearest for most; 1 of 16 would be by chance.
    assert ((a @ b.T).argmax(dim=1) == torch.arange(16)).float().mean() > 0.5
    rank = torch.linalg.svdvals(a - a.mean(dim=0))
    assert (rank > 0.1 * rank[0]).sum() >= 4
