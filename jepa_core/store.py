"""Where everything that is produced lies: one folder, bound to one archive."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jepa_core import atomic
from jepa_core.errors import JepaError
from jepa_core.fingerprint import short
from jepa_core.locks import held
from jepa_core.sensors import Sensor


class MixedDataError(JepaError):
    """A data root holds products of another archive."""


@dataclass(frozen=True)
class Store:
    """The data root; a map from what is meant to where it lies."""

    root: Path
    """Absolute path of the data root."""

    @classmethod
    def at(cls, root: Path) -> "Store":
        """Store at a folder, which need not exist yet."""
        return cls(root.expanduser().resolve())

    def bind(self, archive: str) -> None:
        """Marks this root as belonging to one archive, or makes sure that it does.

        Args:
            archive: resolved path of the archive's root, or `sample`.

        Raises:
            MixedDataError: the root holds products of another archive.
        """
        self._check_folder()
        # Nothing was made here yet: a mistyped path must not keep the root.
        if not (self.root / "root.json").exists() or not any(self.stage_records.glob("*.json")):
            atomic.write_json(self.root / "root.json", {"archive": archive})
        self.check_bound(archive)

    def check_bound(self, archive: str) -> None:
        """Makes sure that this root belongs to no other archive; writes nothing.

        Raises:
            MixedDataError: the root holds products of another archive.
            JepaError: what says so cannot be read.
        """
        self._check_folder()
        marker = self.root / "root.json"
        fields = atomic.read_json(marker) if marker.exists() else {"archive": archive}
        if not isinstance(fields, dict) or "archive" not in fields:
            raise JepaError(f'{marker} does not say which archive this is of; write {{"archive": ...}} into it')
        bound = fields["archive"]
        if bound != archive:
            unset = "JEPA_ARCHIVE is unset, so the sample is meant; set it. Or: " if archive == "sample" else ""
            raise MixedDataError(
                f"{self.root} holds products of the archive {bound!r}, not of {archive!r}. "
                f"{unset}Set JEPA_DATA to a folder of this archive's own. (If the archive was moved, "
                f"write its new path into {marker}.)"
            )

    def _check_folder(self) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise JepaError(f"the data root {self.root} is a file; set JEPA_DATA to a folder")

    @property
    def downloads(self) -> Path:
        """Files fetched from elsewhere, as they came."""
        return self.root / "downloads"

    @property
    def sample_archive(self) -> Path:
        """The sample in the BigEarthNet v1 folder layout."""
        return self.root / "sample-archive"

    @property
    def catalogues(self) -> Path:
        """What STAC APIs said, so that only what changed is asked for."""
        return self.root / "catalogues"

    def patches(self, sensor: Sensor) -> Path:
        """Scenes cut into patches, a folder a scene, and their manifest."""
        return self.root / "patches" / sensor.name

    @property
    def pairs(self) -> Path:
        """Table of pairs."""
        return self.root / "pairs" / "pairs.parquet"

    def training_cache(self, data_version: str) -> Path:
        """Flat arrays that a training run on this version of the pairs reads."""
        return self.root / "cache" / f"pairs-{short(data_version)}"

    def training_probe(self, data_version: str) -> Path:
        """Labelled validation pairs that a training run looks at now and then."""
        return self.root / "cache" / f"probe-{short(data_version)}"

    def training(self, variant: str, stage_fingerprint: str) -> Path:
        """Checkpoints of a training run under way."""
        return self.root / "training" / f"{variant}-{short(stage_fingerprint)}"

    def model(self, variant: str, stage_fingerprint: str) -> Path:
        """A trained model, by the fingerprint of what it was trained from."""
        return self.root / "models" / variant / short(stage_fingerprint)

    def descriptors(self, variant: str, model_fingerprint: str) -> Path:
        """Descriptors of one model, a file per sensor and scene."""
        return self.root / "descriptors" / variant / short(model_fingerprint)

    def index(self, variant: str, model_fingerprint: str) -> Path:
        """The index over one model's descriptors."""
        return self.root / "indexes" / variant / short(model_fingerprint)

    def benchmark(self, variant: str) -> Path:
        """The latest benchmark report of a variant, or of a model by whatever name a user gave it."""
        return self.root / "benchmarks" / _file_name(variant)

    @property
    def choosing(self) -> "Store":
        """Takes reports on the validation split, apart from those that count."""
        return Store(self.root / "validation")

    def baseline(self, name: str, version: str) -> Path:
        """Report of a baseline that methods are held against."""
        return self.root / "baselines" / f"{name}-{short(version)}"

    def benchmark_reference(self, variant: str) -> Path:
        """Figures that the variant's benchmarks are held against."""
        return self.root / "references" / f"{_file_name(variant)}.json"

    @property
    def comparison(self) -> Path:
        """The variants' latest benchmarks side by side."""
        return self.root / "benchmarks" / "comparison"

    @property
    def stage_records(self) -> Path:
        """One record a stage, written when the stage is whole."""
        return self.root / "stages"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def locks(self) -> Path:
        """Locks, by what is worked on."""
        return self.root / "locks"

    @contextmanager
    def locked(self, name: str, waiting: Callable[[str], None]) -> Iterator[None]:
        """Holds the lock of a name; the system frees it when the process ends, however it ends.

        Args:
            name: what is worked on.
            waiting: is told, once, who holds the lock, if another process does; then it is waited for.
        """

        def tell(who: str) -> None:
            waiting(f"{who} is working on {name} in {self.root}; waiting for it to end")

        with held(self.locks / f"{name}.lock", tell):
            yield


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)
