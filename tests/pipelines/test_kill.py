"""The command killed at every stage and run again: it ends where an undisturbed run ends."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from jepa_core import atomic
from jepa_core.descriptors import read_descriptors
from jepa_core.index.sync import current_index, open_current
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from tests.pipelines.test_command import DAGSTER, clean_environment, copy_checkout, dagster

# Long enough for a checkpoint, which the recipe `tiny` writes every 10 s.
CONFIG = json.dumps({"ops": {"crjepa_model": {"config": {"epochs": 45}}}})
COMMAND = ["asset", "materialize", "--select", "*crjepa_index", "--config-json", CONFIG]


def kill_when(checkout, seen):
    """Starts the command and kills it with all its children as soon as `seen` says so."""
    with (checkout / "data" / "killed.log").open("w") as log:
        run = subprocess.Popen(
            [DAGSTER, *COMMAND],
            cwd=checkout,
            env=clean_environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not seen():
            assert run.poll() is None, (checkout / "data" / "killed.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_every_stage_it_ends_with_the_same_index(tmp_path, wheels):
    checkout = copy_checkout(tmp_path / "clone", wheels)
    data = checkout / "data"
    moments = {
        "writing the sample": lambda: any(data.glob(".tmp-sample-archive-*/BigEarthNet-S2/*")),
        "cutting": lambda: len(list((data / "patches" / "sentinel2").glob("S2*"))) > 3,
        "pairing": lambda: (data / "pairs" / "pairs.parquet").exists(),
        "training": lambda: any(data.glob("training/crjepa-*/step-*/history.json")),
        "registering the model": lambda: any(data.glob("models/crjepa/*/model.json")),
        "describing": lambda: len(list(data.glob("descriptors/crjepa/*/sentinel1/*.parquet"))) > 3,
    }
    for seen in moments.values():
        kill_when(checkout, seen)
    assert not (data / "stages" / "crjepa_index.json").exists()
    done = dagster(checkout, *COMMAND)
    assert done.returncode == 0, done.stdout
    # Training was over before the last kill: it is not done again.
    assert "crjepa_model is current: nothing to do" in done.stdout
    assert not list(data.glob("**/.tmp-*"))
    assert not any((data / "training").iterdir())

    whole = copy_checkout(tmp_path / "whole", wheels)
    assert dagster(whole, *COMMAND).returncode == 0
    for stage in ("crjepa_model", "crjepa_index"):
        records = [atomic.read_json(Store.at(c / "data").stage_records / f"{stage}.json") for c in (checkout, whole)]
        # Content counts: file times differ between two checkouts, weights and vectors must not.
        assert records[0]["summary"]["model"] == records[1]["summary"]["model"]
    stores = [Store.at(c / "data") for c in (checkout, whole)]
    indexes = [open_current(current_index(store, "crjepa")) for store in stores]
    for sensor in (SENTINEL1, SENTINEL2):
        # What was left after the kill went through the encoder in other batches.
        found = [read_descriptors(store, "crjepa", records[0]["summary"]["model"], sensor).vectors for store in stores]
        for kind in ("same", "cross"):
            np.testing.assert_allclose(found[0][kind], found[1][kind], atol=1e-3)
            query = found[0][kind][:1]
            a, b = (index.search(query, index.model, kind, sensor, 100).scores[0] for index in indexes)
            np.testing.assert_allclose(a, b, atol=1e-3)
            assert len(a) == 60
