from dataclasses import replace

import pytest
import torch

from jepa_core.training.checkpoint import latest_step
from jepa_core.training.config import TrainingConfig
from jepa_core.training.loop import train
from jepa_core.training.watch import TrainingError, look, suspected
from jepa_core.variants.variant import TrainingLoss
from tests.jepa_core.training.test_loop import cache  # noqa: F401  (a fixture)
from tests.jepa_core.variants.small import built

CONFIG = TrainingConfig()
UNREGULARISED = {
    "weight_cross": 0.0,
    "weight_uni": 0.0,
    "weight_uni_cosine": 0.0,
    "weight_sigreg": 0.0,
    "stop_gradient": False,
    "normalise_targets": False,
}


def of(a, b, paired=True):
    loss = TrainingLoss(torch.zeros(()), {}, {"context": {"x": a, "y": b}})
    return look(loss, paired)


def test_healthy_embeddings_raise_no_suspicion_and_one_point_and_one_line_do():
    generator = torch.Generator().manual_seed(0)
    healthy = torch.randn(32, 8, generator=generator)
    assert suspected(of(healthy, healthy), 32, CONFIG) == ""
    point = torch.ones(32, 8) + 1e-4 * healthy
    assert "context_y spread by" in suspected(of(healthy, point), 32, CONFIG)
    line = torch.randn(32, 1, generator=generator) * torch.ones(8) + 1e-4 * healthy
    assert "context_x have the effective rank 1.0" in suspected(of(line, healthy), 32, CONFIG)


def test_two_vectors_are_not_suspected_of_having_one_direction():
    pair = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert suspected(of(pair, pair), 2, CONFIG) == ""


def test_alignment_is_of_pairs_alone():
    a = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    assert of(a, 3 * a)["alignment_context"] == pytest.approx(0.0, abs=1e-6)
    assert "alignment_context" not in of(a, a, paired=False)


@pytest.mark.slow
def test_without_its_regulariser_crjepa_collapses_and_is_stopped_with_a_good_checkpoint(cache, tmp_path):  # noqa: F811
    model = built("crjepa", **UNREGULARISED)
    config = replace(
        CONFIG,
        epochs=400,
        batch_size=8,
        peak_learning_rate=2e-3,
        start_learning_rate=2e-3,
        end_learning_rate=2e-3,
        warmup_epochs=0,
        monitor_steps=5,
        patience=3,
        checkpoint_seconds=0.0,
    )
    rows = []
    with pytest.raises(TrainingError, match=r"collapsed: at step \d+ the unit embeddings .* spread by") as stopped:
        train(model, cache, config, 0, tmp_path, rows.append)
    first = next(row["step"] for row in rows if suspected(row, 8, config))
    saved = latest_step(tmp_path)
    # Saved after every step until the first suspicion, not after it.
    assert saved == first - 1
    assert f"the last good state, of step {saved}, is in {tmp_path}" in str(stopped.value)
    assert rows[-1]["step"] < first + 15


def test_the_message_says_where_nothing_was_saved(cache, tmp_path):  # noqa: F811
    config = replace(CONFIG, epochs=10, batch_size=8, monitor_steps=1, patience=2, least_spread=10.0)
    with pytest.raises(TrainingError, match=r"at step 2 .* no good state was saved before it"):
        train(built("crjepa"), cache, config, 0, tmp_path)
