import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.training.config import TrainingConfig
from jepa_core.training.schedule import learning_rate, momentum, weight_decay


def test_it_starts_peaks_and_ends_where_the_paper_says():
    config = TrainingConfig()
    rates = [learning_rate(step, 10, config) for step in range(4000)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[150] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-6)
    assert max(rates) == rates[150]
    assert rates[2075] == pytest.approx((1e-3 + 1e-6) / 2, rel=1e-2)


@given(epochs=st.integers(1, 50), warmup=st.integers(0, 60), per_epoch=st.integers(1, 7))
def test_it_rises_then_falls_and_stays_between_its_ends(epochs, warmup, per_epoch):
    config = TrainingConfig(epochs=epochs, warmup_epochs=warmup)
    rates = [learning_rate(step, per_epoch, config) for step in range(epochs * per_epoch)]
    assert all(1e-6 - 1e-12 <= rate <= 1e-3 + 1e-12 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_shorter_run_keeps_the_share_of_its_warm_up():
    assert TrainingConfig(epochs=400, warmup_epochs=20).for_epochs(100).warmup_epochs == 5


def test_weight_decay_goes_by_a_cosine_and_momentum_by_a_straight_line():
    config = TrainingConfig(weight_decay=0.04, end_weight_decay=0.4, momentum=0.996, end_momentum=1.0)
    decays = [weight_decay(step, 101, config) for step in range(101)]
    assert decays[0] == pytest.approx(0.04)
    assert decays[25] == pytest.approx(0.04 + 0.36 * (1 - 2**-0.5) / 2)
    assert decays[50] == pytest.approx(0.22)
    assert decays[100] == pytest.approx(0.4)
    momenta = [momentum(step, 101, config) for step in range(101)]
    assert momenta == pytest.approx([0.996 + 0.004 * step / 100 for step in range(101)])
    assert momentum(0, 1, config) == 0.996
