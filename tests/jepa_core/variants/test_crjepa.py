from dataclasses import replace

import pytest
import torch

from jepa_core.variants import registry
from jepa_core.variants.crjepa import CRJEPA, SIZES, CRJEPAConfig

BANDS = {"sentinel1": 2, "sentinel2": 12}
SMALL = CRJEPAConfig(
    input_size=32,
    patch_size=8,
    width=32,
    depth=2,
    heads=2,
    predictor_depth=1,
    head_hidden=(16,),
    dimension=8,
    sigreg_slices=16,
)


def batch(count=6, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, n, side, side, generator=generator) for name, n in BANDS.items()}


def built(config=SMALL, seed=0):
    return registry.build("crjepa", config, BANDS, seed)


def loss(model, seed=0, **kwargs):
    return model.training_loss(batch(**kwargs), torch.Generator().manual_seed(seed))


def test_size_paper_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = CRJEPA(SIZES["paper"], BANDS)
    count = sum(p.numel() for p in model.parameters())
    assert count / 1e6 == pytest.approx(117.93, abs=0.1)
    # What docs/design.md says.
    assert count == 117_945_344


def test_the_total_is_the_weighted_sum_of_the_named_terms():
    config = replace(SMALL, weight_prediction=0.5, weight_cross=2.0, weight_uni=3.0, weight_sigreg=0.1)
    got = loss(built(config))
    t = got.terms
    routes = sum(t[f"prediction_{route}"] for route in ("aa", "bb", "ab", "ba"))
    expected = 0.5 * routes + 2 * t["cross_infonce"] + 3 * (t["uni_infonce"] + t["uni_cosine"]) + 0.1 * t["sigreg"]
    assert got.total.item() == pytest.approx(expected.item(), rel=1e-6)
    assert not any(term.requires_grad for term in t.values())


def gradients(config, part):
    model = built(config)
    loss(model).total.backward()
    return [p.grad for name, p in model.named_parameters() if name.startswith(part)]


@pytest.mark.parametrize(
    ("only", "reached", "untouched"),
    [
        (
            "weight_prediction",
            ["predict_same.sentinel1", "predict_cross", "stems", "trunk"],
            ["head"],
        ),
        ("weight_cross", ["head_cross", "trunk", "stems"], ["head_same", "predict"]),
        ("weight_uni", ["head_same", "trunk"], ["head_cross", "predict"]),
        ("weight_sigreg", ["head_same", "head_cross", "trunk"], ["predict"]),
    ],
)
def test_each_term_trains_its_own_parts(only, reached, untouched):
    off = {f"weight_{name}": 0.0 for name in ("prediction", "cross", "uni", "sigreg")}
    config = replace(SMALL, **(off | {only: 1.0}))
    for part in reached:
        assert any(g is not None and g.abs().sum() > 0 for g in gradients(config, part)), part
    for part in untouched:
        assert all(g is None or g.abs().sum() == 0 for g in gradients(config, part)), part


def test_targets_carry_gradient_only_where_asked():
    """With predictors that give zeros, only the target side can reach the trunk."""
    reached = {}
    for stop in (True, False):
        config = replace(
            SMALL,
            stop_gradient=stop,
            normalise_targets=False,
            weight_cross=0,
            weight_uni=0,
            weight_sigreg=0,
        )
        model = built(config)
        for predictor in (*model.predict_same.values(), model.predict_cross):
            torch.nn.init.zeros_(predictor.norm.weight)
        loss(model).total.backward()
        grads = [p.grad for p in model.trunk.parameters() if p.grad is not None]
        reached[stop] = sum(g.abs().sum().item() for g in grads)
    assert reached[True] == 0
    assert reached[False] > 0


def test_normalised_targets_leave_nothing_to_gain_from_small_features():
    model = built(replace(SMALL, normalise_targets=True))
    torch.nn.init.constant_(model.trunk.norm.weight, 0.03)
    # Predictions of zero against targets of unit variance: the loss is 1, however small the features.
    for predictor in (*model.predict_same.values(), model.predict_cross):
        torch.nn.init.zeros_(predictor.norm.weight)
    assert loss(model).terms["prediction_aa"].item() == pytest.approx(1.0, abs=0.15)


def test_context_features_do_not_see_the_masked_tokens():
    """Changing the image under the masked tokens changes the targets and not the context."""
    model = built().eval()
    images = batch(count=1)["sentinel1"]
    changed = images.clone()
    changed[..., :8, :8] += 1
    visible = torch.arange(1, 16)[None]
    from jepa_core.nn.masking import take

    a = model.trunk(take(model._tokens(images, "sentinel1"), visible))
    b = model.trunk(take(model._tokens(changed, "sentinel1"), visible))
    assert torch.equal(a, b)


@pytest.mark.parametrize("purpose", ["same", "cross"])
@pytest.mark.parametrize("sensor", BANDS)
def test_descriptors_are_unit_vectors_that_do_not_depend_on_their_batch(purpose, sensor):
    model = built().eval()
    images = batch()[sensor]
    with torch.no_grad():
        vectors = model.describe(images, sensor, purpose)
        alone = model.describe(images[2:3], sensor, purpose)
    assert vectors.shape == (6, 8)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(vectors[2:3], alone, rtol=1e-4, atol=1e-5)


def test_the_two_heads_differ():
    model = built().eval()
    images = batch()["sentinel1"]
    with torch.no_grad():
        same, cross = (model.describe(images, "sentinel1", p) for p in ("same", "cross"))
    assert (same - cross).abs().max() > 0.01


def test_images_of_another_size_are_brought_to_the_network_s():
    with torch.no_grad():
        got = built().eval().describe(batch(side=48)["sentinel2"], "sentinel2", "same")
    assert got.shape == (6, 8)
    assert loss(built(), side=20).total.isfinite()


def test_equal_seeds_give_equal_networks_and_losses_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    a, b, c = built(seed=1), built(seed=1), built(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loss(a).total.item() == loss(b).total.item()
    assert loss(a).total.item() != loss(c).total.item()
    assert loss(a, seed=0).total.item() != loss(a, seed=1).total.item()


def test_it_overfits_eight_pairs():
    model = built()
    data = batch(count=8)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    first = None
    for step in range(150):
        got = model.training_loss(data, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        got.total.backward()
        optimizer.step()
        first = first or got.total.item()
    assert got.total.item() < 0.4 * first
    model.eval()
    with torch.no_grad():
        a, b = (model.describe(data[name], name, "cross") for name in BANDS)
    assert (a @ b.T).argmax(dim=1).tolist() == list(range(8))


def test_it_takes_two_sensors():
    with pytest.raises(ValueError, match="two sensors, not 1"):
        CRJEPA(SMALL, {"sentinel1": 2})


def test_any_two_sensors_will_do():
    model = CRJEPA(SMALL, {"pan": 1, "ms": 4})
    images = {"pan": torch.randn(3, 1, 64, 64), "ms": torch.randn(3, 4, 16, 16)}
    assert model.training_loss(images, torch.Generator().manual_seed(0)).total.isfinite()


def test_the_config_goes_through_json():
    for config in SIZES.values():
        assert registry.config_from_json("crjepa", registry.config_to_json(config)) == config
