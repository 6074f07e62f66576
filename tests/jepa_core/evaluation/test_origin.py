import pytest

from jepa_core.baselines.registry import BASELINES
from jepa_core.evaluation.origin import knows_one_sensor, origin, redone
from jepa_core.variants.registry import METHODS


def test_methods_baselines_and_models_of_users_are_told_apart():
    assert {origin(name) for name in METHODS} == {"method"}
    assert {origin(name) for name in BASELINES} == {"baseline"}
    assert origin("timm:resnet18") == origin("python:croma:load") == "user"


def test_only_those_that_describe_each_sensor_apart_know_one():
    names = [name for name in (*METHODS, *BASELINES, "timm:resnet18") if knows_one_sensor(name)]
    assert names == ["ijepa", "mae", "rejepa", "random-vectors", "random-encoder"]


@pytest.mark.parametrize(
    ("name", "what"), [("xjepa", "training"), ("random-vectors", "draw"), ("pca", ""), ("torchscript:m.pt", "")]
)
def test_what_another_seed_would_do_over(name, what):
    assert redone(name) == what
