"""A new model takes the place of the old one, or does not."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from jepa_core.evaluation.report import read_report
from jepa_core.evaluation.succession import judge
from jepa_core.fingerprint import file_digest, fingerprint
from jepa_core.model import load_model
from jepa_core.store import Store
from tests.labelled import labelled_set


@pytest.fixture(scope="module")
def data():
    return labelled_set(rows=300, classes=3, noise=0.1)


def changed(model, folder, factor):
    """The model with all weights of its patch embeddings multiplied, whole and under its own fingerprint."""
    shutil.copytree(model.folder, folder)
    weights = folder / "weights.safetensors"
    tensors = load_file(weights)
    names = [n for n in tensors if ("stem" in n or "embed" in n) and not n.startswith("whitening")]
    assert names
    save_file({name: t * factor if name in names else t for name, t in tensors.items()}, weights)
    fields = json.loads((folder / "model.json").read_text())
    identity = {k: v for k, v in fields.items() if k not in ("fingerprint", "about")}
    identity["weights_sha256"] = file_digest(weights)
    about = {**identity, "fingerprint": fingerprint(identity), "about": fields["about"]}
    (folder / "model.json").write_text(json.dumps(about))
    return load_model(folder)


def test_a_model_that_sees_nothing_is_rejected_and_the_report_says_in_which_figures(trained, data, tmp_path):
    store = Store.at(tmp_path / "data")
    blind = changed(trained, tmp_path / "blind", 0.0)
    verdict = judge(store, data, trained, blind, "somewhere")
    assert not verdict.accepted
    assert "fell from" in verdict.message
    assert read_report(verdict.report).model.models == (blind.fingerprint,)
    # And the other way round it is welcome.
    assert judge(store, data, blind, trained, "somewhere").accepted


def test_a_model_that_is_as_good_is_accepted(trained, data, tmp_path):
    twin = changed(trained, tmp_path / "twin", 1.000001)
    assert twin.fingerprint != trained.fingerprint
    verdict = judge(Store.at(tmp_path / "data"), data, trained, twin, "somewhere")
    assert verdict.accepted
    assert verdict.message.endswith("none fell")


def test_without_labels_nothing_can_be_measured_and_nothing_is_accepted(trained, data, tmp_path):
    unlabelled = replace(data, labels=np.zeros_like(data.labels))
    verdict = judge(Store.at(tmp_path / "data"), unlabelled, trained, trained, "somewhere")
    assert not verdict.accepted
    assert "nothing can be measured" in verdict.message
    assert verdict.report is None
