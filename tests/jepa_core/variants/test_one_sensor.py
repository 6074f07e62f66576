"""I-JEPA, MAE and REJEPA, each on one sensor."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.jepa_core.variants.small import batch, built, loss


def network(variant, **changes):
    return built(variant, **changes).networks["sentinel1"].eval()


def test_ijepa_compares_predictions_with_normed_features_at_the_targets_places():
    model, images = network("ijepa"), batch()["sentinel1"]
    drawn = model.draw(6, torch.Generator().manual_seed(0))
    rows = model(images, drawn)
    features = model.target(images)
    normed = (features - features.mean(-1, keepdim=True)) / (
        features.var(-1, unbiased=False, keepdim=True) + 1e-5
    ).sqrt()
    for i in range(6):
        seen = drawn["context"][i][drawn["present"][i]][None]
        context = model.encoder(images[i : i + 1], seen)
        errors = []
        for block in drawn["targets"][i]:
            # Alone and without padding: neither blocks nor padded places may touch the prediction.
            predicted = model.predictor(context, seen, block[None, None])[0, 0]
            gap = (predicted - normed[i, block]).abs()
            errors.append(torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean())
        assert rows["prediction"][i].item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-4)
        torch.testing.assert_close(rows["context"][i], context[0].mean(dim=0), rtol=1e-4, atol=1e-5)


def test_ijepa_s_context_never_holds_a_target():
    drawn = network("ijepa").draw(32, torch.Generator().manual_seed(0))
    for context, present, targets in zip(drawn["context"], drawn["present"], drawn["targets"], strict=True):
        assert not set(context[present].tolist()) & set(targets.flatten().tolist())


def pixels_of_token(image, token, side, columns):
    row, column = divmod(token, columns)
    return image[:, row * side : (row + 1) * side, column * side : (column + 1) * side].reshape(-1)


@pytest.mark.parametrize("normalise", [True, False])
def test_mae_s_error_is_over_the_pixels_of_masked_tokens_alone(normalise):
    model, images = network("mae", normalise_pixels=normalise), batch()["sentinel1"]
    drawn = model.draw(6, torch.Generator().manual_seed(0))
    assert drawn["visible"].shape == (6, 4)
    assert drawn["masked"].shape == (6, 12)
    rows = model(images, drawn)
    made = model.decoder(model.encoder(images, drawn["visible"]), drawn["visible"], drawn["masked"])
    for i in range(6):
        errors = []
        for token, got in zip(drawn["masked"][i].tolist(), made[i].detach().numpy(), strict=True):
            pixels = pixels_of_token(images[i].numpy(), token, 8, 4)
            if normalise:
                pixels = (pixels - pixels.mean()) / np.sqrt(pixels.var(ddof=1) + 1e-6)
            errors.append(((got - pixels) ** 2).mean())
        assert rows["reconstruction"][i].item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_mae_s_encoder_sees_the_visible_tokens_alone():
    model, images = network("mae"), batch(1)["sentinel1"]
    drawn = {"visible": torch.arange(1, 5)[None], "masked": torch.cat([torch.tensor([0]), torch.arange(5, 16)])[None]}
    before = model(images, drawn)
    images[..., :8, :8] += 1.0
    after = model(images, drawn)
    assert torch.equal(before["context"], after["context"])


def test_a_token_without_measurement_is_no_trouble_to_mae():
    images = batch()
    images["sentinel1"][:, :, :8] = 0.0
    model = built("mae")
    got = model.training_loss(images, torch.Generator().manual_seed(0))
    got.total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_rejepa_s_total_is_the_weighted_sum_of_the_named_terms():
    inner = {"vicreg_invariance": 3.0, "vicreg_variance": 5.0, "vicreg_covariance": 7.0}
    got = loss(built("rejepa", weight_prediction=0.5, weight_vicreg=0.3, **inner))
    expected = 0.0
    for sensor in ("sentinel1", "sentinel2"):
        vicreg = sum(weight * got.terms[f"{name}_{sensor}"] for name, weight in inner.items())
        expected += 0.5 * got.terms[f"prediction_{sensor}"] + 0.3 * vicreg
    assert got.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_rejepa_s_context_is_scattered_and_its_targets_the_rest():
    drawn = network("rejepa", target_ratio=0.25).draw(200, torch.Generator().manual_seed(0))
    assert drawn["context"].shape == (200, 12)
    assert drawn["targets"].shape == (200, 1, 4)
    # Neighbours are no likelier to be together than others: 16 tokens, 12 of them drawn.
    held = F.one_hot(drawn["context"], 16).sum(dim=1).float()
    together = (held[:, 0] * held[:, 1]).mean().item()
    assert together == pytest.approx(12 / 16 * 11 / 15, abs=0.1)


def test_rejepa_s_targets_may_be_blocks_with_the_context_scattered_around_them():
    model = network("rejepa", targets="blocks")
    drawn = model.draw(50, torch.Generator().manual_seed(0))
    assert drawn["targets"].shape[:2] == (50, 4)
    assert drawn["context"].shape[1] <= 8
    for context, present, targets in zip(drawn["context"], drawn["present"], drawn["targets"], strict=True):
        assert present.any()
        kept = context[present].tolist()
        assert len(kept) == len(set(kept))
        assert not set(kept) & set(targets.flatten().tolist())
    assert loss(built("rejepa", targets="blocks")).total.isfinite()


def test_rejepa_without_vicreg_is_prediction_alone():
    got = loss(built("rejepa", weight_vicreg=0.0))
    prediction = got.terms["prediction_sentinel1"] + got.terms["prediction_sentinel2"]
    assert got.total.item() == pytest.approx(prediction.item(), rel=1e-6)
