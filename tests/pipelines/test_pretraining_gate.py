"""Which model serves after a retraining; the whole job is tried in `test_retraining.py`."""

from types import SimpleNamespace

from jepa_core.store import Store
from pipelines.assets.pretraining import _judge


def test_a_model_that_cannot_be_read_any_more_gives_way(tmp_path):
    said = []
    inputs = SimpleNamespace(previous=SimpleNamespace(summary={"folder": "models/crjepa/old"}))
    result = SimpleNamespace(outputs=[tmp_path / "new"])
    _judge(Store.at(tmp_path), "crjepa", inputs, result, said.append)
    (line,) = said
    assert line.startswith("the new model takes the place of old without being held against it: no whole model in")
