"""What the drill's child processes do; the driver itself runs no stage, so that its forks stay clean."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.drill.privileges import obey_modes

VARIANT = "crjepa"


@dataclass(frozen=True)
class Site:
    """Folders of a drill."""

    root: Path
    """Of all of them."""

    @property
    def archive(self) -> Path:
        """Scenes come and go here."""
        return self.root / "archive"

    @property
    def data(self) -> Path:
        """The data root that is kept up to date."""
        return self.root / "disk" / "data"

    @property
    def fresh(self) -> Path:
        """A data root built from nothing."""
        return self.root / "fresh"

    @property
    def home(self) -> Path:
        """Of the Dagster instance."""
        return self.root / "home"


def _enter(site: Site, data: Path, settle_s: float, log: str) -> None:
    os.setsid()
    with (site.root / log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)
    os.environ |= {
        "JEPA_ARCHIVE": str(site.archive),
        "JEPA_DATA": str(data),
        "JEPA_SETTLE_SECONDS": str(settle_s),
        "OMP_NUM_THREADS": "1",
    }
    import torch

    torch.set_num_threads(1)
    obey_modes()


def make_model(site: Site) -> None:
    """The whole chain once, with hardly any training; the model serves throughout the drill."""
    _enter(site, site.data, 0.0, "chain.log")
    import dagster as dg

    from pipelines.definitions import ASSETS, CHECKS, defs

    site.home.mkdir(exist_ok=True)
    with dg.DagsterInstance.local_temp(str(site.home)) as instance:
        assert dg.materialize(
            [*ASSETS, *CHECKS],
            selection=dg.AssetSelection.assets(f"{VARIANT}_index").upstream(),
            instance=instance,
            resources=defs.resources,
            run_config={"ops": {f"{VARIANT}_model": {"config": {"epochs": 1}}}},
        ).success


def reindex(site: Site, settle_s: float, processes: int) -> None:
    """One run of the job, with all that the sensor would ask for; ends with 1 where the run failed."""
    _enter(site, site.data, settle_s, "runs.log")
    import dagster as dg

    from pipelines import faults
    from pipelines.definitions import defs
    from pipelines.reindex import REINDEX
    from pipelines.resources import Workspace
    from pipelines.watch import to_do

    # The waits are what is shortened, not the tries.
    faults.FIRST_WAIT_S = 0.3
    with dg.DagsterInstance.local_temp(str(site.home)) as instance:
        todo = to_do(Workspace(), thorough=True)
        result = defs.resolve_job_def(REINDEX).execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(stage.name) for stage in todo.stages],
            run_config={"at_most": 5},
            raise_on_error=False,
        )
        sys.exit(0 if result.success else 1)


def is_settled(site: Site) -> None:
    """Ends with 0 where the sensor would find nothing to do, with 1 otherwise."""
    _enter(site, site.data, 0.0, "looks.log")
    from pipelines.resources import Workspace
    from pipelines.watch import to_do

    todo = to_do(Workspace(), thorough=True)
    print(todo.reasons)
    sys.exit(1 if todo.reasons else 0)


def build_afresh(site: Site) -> None:
    """The archive as it is into an empty data root, by the same model; no Dagster."""
    _enter(site, site.fresh, 0.0, "fresh.log")
    from jepa_core.archive.discover import Archive
    from jepa_core.catalog import current_model
    from jepa_core.cutting import CutConfig
    from jepa_core.describing.archive import describe_archive
    from jepa_core.extraction import extract
    from jepa_core.index.sync import sync_index
    from jepa_core.model import load_model
    from jepa_core.pairing import PairingConfig, pair_patches
    from jepa_core.patch_store import read_patches
    from jepa_core.sensors import SENTINEL1, SENTINEL2
    from jepa_core.store import Store
    from jepa_core.tables import PAIRS, write_table

    shutil.rmtree(site.fresh, ignore_errors=True)
    store, sensors = Store.at(site.fresh), (SENTINEL1, SENTINEL2)
    for sensor in sensors:
        extract(store, Archive(site.archive).sources(sensor), sensor, CutConfig())
    write_table(pair_patches(*(read_patches(store, s) for s in sensors), PairingConfig()), PAIRS, store.pairs)
    folder = shutil.copytree(current_model(Store.at(site.data), VARIANT).folder, site.fresh / "model")
    model = load_model(folder)
    describe_archive(store, model)
    sync_index(store, VARIANT, model.fingerprint, folder, [sensor.name for sensor in sensors])


def compare(site: Site, told: Any) -> None:
    """Puts into the queue `told` how the index differs from that of the fresh build."""
    _enter(site, site.data, 0.0, "compare.log")
    from jepa_core.patch_store import read_patches
    from jepa_core.sensors import SENTINEL1, SENTINEL2
    from jepa_core.store import Store
    from jepa_core.tables import PAIRS, read_table

    different: list[str] = []
    vectors, largest, identical = 0, 0.0, 0
    one, two = Store.at(site.data), Store.at(site.fresh)
    for sensor in (SENTINEL1, SENTINEL2):
        ours, theirs = _content(one, sensor), _content(two, sensor)
        if ours.keys() != theirs.keys():
            odd = sorted(ours.keys() ^ theirs.keys())
            different.append(f"{sensor.name}: {len(odd)} ids in one index only, first {odd[0]}")
        # What is in the index must be what the tables say, too.
        if sorted(read_patches(one, sensor, ["patch_id"])["patch_id"]) != sorted(ours):
            different.append(f"{sensor.name}: the index holds other ids than the tables")
        for name in ours.keys() & theirs.keys():
            apart = max(float(np.abs(a - b).max()) for a, b in zip(ours[name], theirs[name], strict=True))
            vectors += 1
            largest, identical = max(largest, apart), identical + (apart == 0)
            # Which patches shared a batch moves a vector by rounding: a step of float16.
            if apart > 1e-3:
                different.append(f"{sensor.name} {name}: vectors {apart:.4f} apart")
    pairs = [read_table(store.pairs, PAIRS).reset_index(drop=True) for store in (one, two)]
    if not pairs[0].equals(pairs[1]):
        different.append(f"pairs: {len(pairs[0])} and {len(pairs[1])}, not the same")
    told.put((different, vectors, identical, largest))


def _content(store: Any, sensor: Any) -> dict[str, list[np.ndarray]]:
    from jepa_core.index.sync import current_index, open_current
    from jepa_core.patch_store import read_patches

    index = open_current(current_index(store, VARIANT))
    # All ids of the index, through the index alone: everything is a neighbour when as many are asked for.
    some = str(read_patches(store, sensor, ["patch_id"])["patch_id"].iloc[0])
    query = index.vector(some, "same", sensor)
    ids = index.search(query, index.model, "same", sensor, index.count(sensor)).patch_ids[0]
    return {name: [index.vector(name, kind, sensor) for kind in ("same", "cross")] for name in ids}
