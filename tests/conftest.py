"""Shared fixtures. Real data are fetched once into `.test-cache/`, which git ignores."""

import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from jepa_core.archive.discover import Archive
from jepa_core.archive.sample import COMMON, CONFIGILM, ensure_sample
from jepa_core.archive.wheels import DownloadError, fetch
from jepa_core.cutting import CutConfig
from jepa_core.datasets.stored_pairs import stored_pairs
from jepa_core.describing.archive import describe_archive
from jepa_core.descriptors import read_descriptors
from jepa_core.extraction import extract
from jepa_core.model import TrainedModel, load_model
from jepa_core.pairing import PairingConfig, pair_patches
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from jepa_core.tables import PAIRS, write_table
from jepa_core.training.pretrain import Choice, pretrain
from jepa_core.vectors import Descriptors
from tests.synthetic import write_pairs

REPO = Path(__file__).parent.parent

# Networks of tests are so small that threads wait for each other longer than they work, the more so where something
# else uses a core. Commands that tests start keep theirs.
torch.set_num_threads(1)

# Archives of tests are written a moment before they are read.
os.environ["JEPA_SETTLE_SECONDS"] = "0"

# As the commands have it; instances that tests make would write events into the home folder.
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def wheels() -> Path:
    """Folder with the two wheels that the sample is made from."""
    folder = REPO / ".test-cache" / "downloads"
    try:
        for wheel in (COMMON, CONFIGILM):
            fetch(wheel, folder)
    except DownloadError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the sample's wheels cannot be had here: {error}")
    return folder


@pytest.fixture(scope="session")
def sample(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real sample archive."""
    store = Store.at(tmp_path_factory.mktemp("sample"))
    store.root.mkdir(exist_ok=True)
    store.downloads.symlink_to(wheels)
    return ensure_sample(store)


@pytest.fixture(scope="session")
def synthetic_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 synthetic pairs."""
    root = tmp_path_factory.mktemp("archive")
    write_pairs(root, 24)
    return root


@pytest.fixture(scope="session")
def cut_store(synthetic_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A data root with the synthetic archive cut and paired; read only."""
    store = Store.at(tmp_path_factory.mktemp("data"))
    for sensor in (SENTINEL1, SENTINEL2):
        extract(store, Archive(synthetic_archive).sources(sensor), sensor, CutConfig())
    a, b = (read_patches(store, sensor) for sensor in (SENTINEL1, SENTINEL2))
    write_table(pair_patches(a, b, PairingConfig()), PAIRS, store.pairs)
    return store


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own settings reach no test."""
    for name in ("JEPA_ARCHIVE", "JEPA_DATA", "JEPA_CACHE", "JEPA_POSTGRES", "DAGSTER_MODULE_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def pairs(cut_store: Store) -> pd.DataFrame:
    """Pairs of the synthetic archive."""
    return pd.read_parquet(cut_store.pairs)


@pytest.fixture(scope="session")
def trained(cut_store: Store, pairs: pd.DataFrame) -> TrainedModel:
    """A model trained for one epoch on the synthetic archive."""
    done = pretrain(
        cut_store,
        Choice("crjepa", epochs=1),
        data=stored_pairs(cut_store, pairs, (SENTINEL1, SENTINEL2), "0" * 64),
        stage_fingerprint="0" * 64,
    )
    return load_model(done.folder)


@pytest.fixture(scope="session")
def described(cut_store: Store, trained: TrainedModel) -> dict[str, Descriptors]:
    """Descriptors of the synthetic archive, by sensor name."""
    describe_archive(cut_store, trained)
    return {
        sensor.name: read_descriptors(cut_store, "crjepa", trained.fingerprint, sensor)
        for sensor in (SENTINEL1, SENTINEL2)
    }
