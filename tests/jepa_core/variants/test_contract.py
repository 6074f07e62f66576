"""What every method promises to the loop, the descriptors and the index."""

import pytest
import torch

from jepa_core.nn.trunk import Trunk
from jepa_core.variants import registry
from jepa_core.variants.variant import Encoded
from tests.jepa_core.variants.small import BANDS, CONFIGS, batch, built, descend, loss, steadied

EVERY = pytest.mark.parametrize("variant", CONFIGS)
FOLLOWED = {"ijepa": "target", "rejepa": "target", "xjepa": "targets"}


def rows_of(model, images, drawn):
    with torch.no_grad():
        return model.encode(images, drawn).rows


def test_every_method_of_the_registry_is_tried_here():
    assert list(CONFIGS) == list(registry.METHODS)
    for method in registry.METHODS.values():
        assert list(method.sizes) == list(method.recipes) == ["tiny", "small", "paper"]


@EVERY
def test_an_image_gives_the_same_rows_whatever_lies_beside_it(variant):
    model, images = steadied(built(variant)), batch(5)
    drawn = model.draw(5, torch.Generator().manual_seed(0))
    whole = rows_of(model, images, drawn)
    part = rows_of(model, {k: v[1:3] for k, v in images.items()}, {k: v[1:3] for k, v in drawn.items()})
    for name, rows in part.items():
        torch.testing.assert_close(rows, whole[name][1:3], rtol=1e-4, atol=1e-5, msg=name)


@EVERY
def test_the_loss_of_a_batch_reaches_parameters_through_the_rows_alone(variant):
    model = built(variant)
    generator = torch.Generator().manual_seed(0)
    drawn = model.draw(6, generator)
    encoded = model.encode(batch(), drawn)
    detached = Encoded({k: v.detach() for k, v in encoded.rows.items()}, encoded.sums)
    assert not model.combine(detached, generator).total.requires_grad
    assert not any(v.requires_grad for v in encoded.sums.values())


@EVERY
def test_every_trained_parameter_has_a_gradient(variant):
    model = built(variant)
    loss(model).total.backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and parameter.grad.abs().sum() > 0
        # A bias before softmax over keys changes nothing; attention's key bias is a third of this vector.
        assert reached == parameter.requires_grad, name


@EVERY
def test_terms_and_embeddings_are_detached_figures_of_every_sensor(variant):
    got = loss(built(variant))
    assert all(term.ndim == 0 and not term.requires_grad and term.isfinite() for term in got.terms.values())
    for by_sensor in got.embeddings.values():
        assert list(by_sensor) == list(BANDS)
        assert all(v.shape[0] == 6 and v.ndim == 2 and not v.requires_grad for v in by_sensor.values())


@EVERY
def test_equal_seeds_give_equal_networks_and_losses_and_leave_the_global_generator_alone(variant):
    before = torch.random.get_rng_state()
    a, b, c = built(variant, 1), built(variant, 1), built(variant, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loss(a).total.item() == loss(b).total.item()
    assert loss(a).total.item() != loss(c).total.item()
    assert loss(a, seed=0).total.item() != loss(a, seed=1).total.item()


@EVERY
@pytest.mark.parametrize("sensor", BANDS)
def test_descriptors_are_unit_vectors_that_do_not_depend_on_their_batch(variant, sensor):
    model = built(variant).eval()
    images = batch()[sensor]
    with torch.no_grad():
        described, alone = (model.describe(given, sensor) for given in (images, images[2:3]))
    assert tuple(described) == tuple(alone) == model.purposes
    for purpose, vectors in described.items():
        assert vectors.shape[0] == 6
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
        torch.testing.assert_close(vectors[2:3], alone[purpose], rtol=1e-4, atol=1e-5)


@EVERY
def test_all_kinds_of_descriptors_come_from_one_pass_of_the_encoder(variant):
    model, passes = built(variant).eval(), []
    for module in model.modules():
        if isinstance(module, Trunk):
            module.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        model.describe(batch()["sentinel1"], "sentinel1")
    assert len(passes) == 1


@EVERY
def test_any_two_sensors_and_any_image_size_will_do(variant):
    model = built(variant, bands={"pan": 1, "ms": 4})
    images = {"pan": torch.randn(3, 1, 64, 64), "ms": torch.randn(3, 4, 16, 16)}
    assert model.training_loss(images, torch.Generator().manual_seed(0)).total.isfinite()
    assert all(vectors.isfinite().all() for vectors in model.describe(images["ms"], "ms").values())


@EVERY
def test_the_config_goes_through_json(variant):
    for config in registry.METHODS[variant].sizes.values():
        assert registry.config_from_json(variant, registry.config_to_json(config)) == config


@EVERY
def test_a_module_has_one_role_and_roles_hold_every_parameter(variant):
    model = built(variant)
    roles = model.roles()
    held = [id(p) for part in (roles.encoder, roles.predictor, roles.target) for m in part for p in m.parameters()]
    assert len(held) == len(set(held))
    # PSA's matrix is part of a loss, not of a network.
    assert set(held) == {id(p) for name, p in model.named_parameters() if name != "psa_factor"}


@EVERY
def test_a_large_image_has_every_size_s_network_described_without_memory(variant):
    for config in registry.METHODS[variant].sizes.values():
        with torch.device("meta"):
            model = registry.METHODS[variant].build(config, BANDS)
            described = model.describe(torch.empty(2, 12, 120, 120), "sentinel2")
        assert all(vectors.shape[0] == 2 for vectors in described.values())


@pytest.mark.parametrize("variant", FOLLOWED)
def test_target_encoders_are_not_trained_and_follow_the_trained_ones(variant):
    model = built(variant)
    target = {n: p for n, p in model.named_parameters() if FOLLOWED[variant] in n.split(".")}
    assert target
    assert not any(p.requires_grad for p in target.values())
    online = {n: p for n, p in model.named_parameters() if n not in target}
    with torch.no_grad():
        for parameter in online.values():
            parameter.add_(1.0)
    before = {n: p.clone() for n, p in target.items()}
    model.after_step(0.9, {})
    for name, parameter in target.items():
        # Both began alike, and the trained one moved by 1.
        torch.testing.assert_close(parameter, before[name] + 0.1, msg=name)


def test_target_features_are_normed_over_each_token_and_carry_no_gradient():
    model = built("rejepa").networks["sentinel1"]
    features = model.target.targets(batch()["sentinel1"])
    torch.testing.assert_close(features.mean(dim=-1), torch.zeros(6, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.var(dim=-1, unbiased=False), torch.ones(6, 16), atol=1e-3, rtol=0)
    assert not features.requires_grad


@pytest.mark.parametrize("variant", ["ijepa", "mae", "rejepa"])
def test_sensors_of_a_method_that_knows_one_have_nothing_in_common(variant):
    model, images = built(variant), batch()
    parts = model.independent()
    assert [
        set(map(id, a.parameters())) & set(map(id, b.parameters())) for a in parts for b in parts if a is not b
    ] == [
        set(),
        set(),
    ]
    loss(model).total.backward()
    before = [p.grad.clone() for p in parts[0].parameters() if p.requires_grad]
    model.zero_grad()
    images["sentinel2"] *= 3
    model.training_loss(images, torch.Generator().manual_seed(0)).total.backward()
    after = [p.grad for p in parts[0].parameters() if p.requires_grad]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("variant", "term", "changes"),
    [
        ("ijepa", "prediction", {"predictor_width": 64}),
        ("mae", "reconstruction", {"decoder_width": 64}),
        pytest.param("rejepa", "prediction", {"predictor_width": 64}, marks=pytest.mark.slow),
        pytest.param("xjepa", "l2", {"predictor_width": 64}, marks=pytest.mark.slow),
        pytest.param("crjepa", "prediction", {}, marks=pytest.mark.slow),
    ],
)
def test_it_overfits_eight_pairs(variant, term, changes):
    """With the same masks each time what is to be predicted can be learned by heart."""
    losses = descend(built(variant, width=64, **changes), batch(8), steps=150, rate=3e-3, masks=0)
    first, last = (
        sum(value.item() for name, value in got.terms.items() if name.startswith(term))
        for got in (losses[0], losses[-1])
    )
    assert last < 0.5 * first
    assert losses[-1].total < losses[0].total


def test_the_cross_sensor_methods_find_each_of_eight_pairs():
    for variant in ("xjepa", "crjepa"):
        model, data = built(variant), batch(8)
        descend(model, data, steps=150)
        model.eval()
        with torch.no_grad():
            a, b = (model.describe(data[name], name)["cross"] for name in BANDS)
        found = (a @ b.T).argmax(dim=1) == torch.arange(8)
        # One of eight by chance.
        assert found.sum() >= 6, variant
