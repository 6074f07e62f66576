import numpy as np
import pytest
import torch

from jepa_core.variants.xjepa import XJEPA
from tests.jepa_core.variants.small import CONFIGS, batch, built, descend, loss


def parts(model, seed=0, images=None):
    generator = torch.Generator().manual_seed(seed)
    drawn = model.draw(6, generator)
    encoded = model.encode(images or batch(), drawn)
    return drawn, encoded, model.combine(encoded, generator)


def test_context_and_targets_are_disjoint_and_cover_the_image():
    drawn, _, _ = parts(built("xjepa"))
    assert drawn["context"].shape == drawn["targets"].shape == (6, 8)
    for context, targets in zip(drawn["context"].tolist(), drawn["targets"].tolist(), strict=True):
        assert sorted(context + targets) == list(range(16))


def test_the_total_is_the_weighted_sum_of_the_named_terms():
    weights = {"weight_l2": 0.5, "weight_psa": 2.0, "weight_vicreg": 0.3}
    inner = {"vicreg_invariance": 3.0, "vicreg_variance": 5.0, "vicreg_covariance": 7.0}
    got = loss(built("xjepa", **weights, **inner))
    t = got.terms
    vicreg = sum(weight * t[name] for name, weight in inner.items())
    expected = 0.5 * (t["l2_sentinel1"] + t["l2_sentinel2"]) / 2 + 2 * t["psa"] + 0.3 * vicreg
    assert got.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_each_sensor_predicts_the_other():
    """A change under the targets of one sensor changes the one loss that they are the targets of."""
    model = built("xjepa")
    images = batch(1)
    drawn = {"context": torch.arange(1, 16)[None], "targets": torch.tensor([[0]])}
    before = model.encode(images, drawn).rows
    images["sentinel2"][..., :8, :8] *= -1
    after = model.encode(images, drawn).rows
    assert torch.equal(before["l2_sentinel1"], after["l2_sentinel1"])
    assert not torch.equal(before["l2_sentinel2"], after["l2_sentinel2"])


def test_queries_are_shared_or_a_predictor_s_own():
    shared, own = built("xjepa"), built("xjepa", shared_queries=False)
    assert list(shared.query) == ["all"]
    assert set(own.query) == {"sentinel1", "sentinel2"}
    assert not torch.equal(own.query["sentinel1"], own.query["sentinel2"])
    loss(shared).total.backward()
    assert shared.query["all"].grad.abs().sum() > 0


def test_the_identity_gives_the_root_mean_square_of_what_l2_averages():
    model = built("xjepa", psa_matrix="identity")
    _, encoded, _ = parts(model)
    # The mean of square roots is at most the square root of the mean.
    for sensor in ("sentinel1", "sentinel2"):
        psa, l2 = encoded.rows[f"psa_{sensor}"], encoded.rows[f"l2_{sensor}"]
        assert ((psa <= (l2 + 1e-6).sqrt() + 1e-6) & (psa > 0.7 * l2.sqrt())).all()
    assert encoded.rows["psa_rank"].tolist() == pytest.approx([32.0] * 6)
    assert not any("psa" in name for name, _ in model.named_parameters())


def test_a_learned_matrix_starts_as_the_identity_and_cannot_make_psa_vanish_by_shrinking():
    model = built("xjepa")
    identity = loss(built("xjepa", psa_matrix="identity")).terms["psa"]
    assert loss(model).terms["psa"].item() == pytest.approx(identity.item(), rel=1e-5)
    with torch.no_grad():
        model.psa_factor.mul_(1e-4)
    assert loss(model).terms["psa"].item() == pytest.approx(identity.item(), rel=1e-4)


def test_the_covariance_form_follows_the_covariance_of_target_features():
    model = built("xjepa", psa_matrix="covariance")
    drawn, encoded, _ = parts(model)
    targets = []
    for name in model.sensors:
        features = model.targets[name].targets(batch()[name])
        targets += [features[i, drawn["targets"][i]].numpy() for i in range(6)]
    expected = np.cov(np.concatenate(targets).T, bias=True)
    model.after_step(1.0, encoded.sums)
    np.testing.assert_allclose(model.covariance.numpy(), 0.99 * np.eye(32) + 0.01 * expected, atol=1e-5)
    assert parts(model)[2].total.isfinite()
    assert parts(model)[1].rows["psa_rank"][0] < 32


def test_under_mixed_precision_the_covariance_is_in_full_precision():
    model = built("xjepa", psa_matrix="covariance")
    drawn = model.draw(6, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        encoded = model.encode(batch(), drawn)
    assert {values.dtype for values in encoded.sums.values()} == {torch.float32}
    assert encoded.rows["psa_sentinel1"].dtype == encoded.rows["psa_rank"].dtype == torch.float32
    products = encoded.sums["products"]
    assert torch.equal(products, products.T)
    assert torch.linalg.eigvalsh(products).min() > -1e-3


def test_unpaired_images_may_come_in_any_order():
    """Our reading of alignment without pairs: permuting one sensor's images changes nothing."""
    model = built("xjepa", pairing="unpaired")
    assert not model.paired
    _, encoded, _ = parts(model)
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    rows = {name: values[order] if name.endswith("sentinel2") else values for name, values in encoded.rows.items()}
    permuted = model.combine(type(encoded)(rows), torch.Generator())
    whole = model.combine(encoded, torch.Generator())
    assert permuted.total.item() == pytest.approx(whole.total.item(), rel=1e-5)
    assert whole.terms["vicreg_invariance"] == 0


def test_unpaired_each_predictor_keeps_within_its_sensor():
    model, images = built("xjepa", pairing="unpaired"), batch()
    before = parts(model, images=images)[1].rows
    images["sentinel2"] = images["sentinel2"] * 2
    after = parts(model, images=images)[1].rows
    assert torch.equal(before["l2_sentinel1"], after["l2_sentinel1"])
    assert not torch.equal(before["l2_sentinel2"], after["l2_sentinel2"])


def test_unpaired_psa_is_the_distance_of_means_and_covariances():
    model = built("xjepa", pairing="unpaired", psa_matrix="identity")
    _, encoded, got = parts(model)
    a, b = (encoded.rows[f"context_{name}"].detach().numpy().astype(float) for name in model.sensors)
    mean = np.sqrt(((a.mean(0) - b.mean(0)) ** 2).mean() + 1e-6)
    covariance = np.sqrt(((np.cov(a.T) - np.cov(b.T)) ** 2).mean() + 1e-6)
    assert got.terms["psa"].item() == pytest.approx(mean + covariance, rel=1e-4)


def test_descending_unpaired_psa_brings_the_two_sets_together():
    model = built("xjepa", pairing="unpaired", psa_matrix="identity", weight_psa=10.0, weight_vicreg=0.0)
    losses = descend(model, batch(8), steps=60)
    assert losses[-1].terms["psa"] < 0.5 * losses[0].terms["psa"]


def test_it_takes_two_sensors():
    with pytest.raises(ValueError, match="two sensors, not 1"):
        XJEPA(CONFIGS["xjepa"], {"sentinel1": 2})
