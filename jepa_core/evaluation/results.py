"""What a benchmark says, as `report.json` holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class Search:
    """Who asks and what is searched."""

    protocol: str
    """`test`: queries and gallery are the test split; `val to test`: validation queries, test archive (CSMAE's);
    `test to rest`: test queries, training and validation archive."""

    query: str
    """Name of the queries' sensor."""

    gallery: str
    """Name of the gallery's sensor."""

    pair: str
    """`self removed` within a sensor, `kept` or `removed` across: whether the query's paired patch may be found;
    `apart` where queries and gallery are of different splits."""


@dataclass(frozen=True)
class Figure:
    """One metric of one search. Shares are from 0 to 1, ranks count from 1."""

    metric: str
    """Its name, see `evaluation.metrics.METRICS`."""

    value: float
    """Mean over the seeds."""

    low: float
    """Lower end of the 95 % bootstrap interval over queries, of the mean over the seeds."""

    high: float
    """Upper end."""

    chance: float
    """Expected value of a random ranking."""

    seeds: tuple[float, ...]
    """The value of each seed."""

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, of a sample; None for one seed."""
        return _deviation(self.seeds)


@dataclass(frozen=True)
class Result:
    """All metrics of one search with one kind of descriptor."""

    search: Search
    """Which search."""

    head: Purpose
    """The kind of descriptor that was compared."""

    serves: bool
    """Whether that kind is the one which searches of this direction use; the figures of the others are for study."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    unanswerable: int
    """Queries without a relevant patch to find, which recall, mAP, R-precision and nDCG leave out."""

    figures: tuple[Figure, ...]
    """In the order of `evaluation.metrics.METRICS`."""

    def figure(self, metric: str) -> Figure:
        """The figure of a metric."""
        return next(figure for figure in self.figures if figure.metric == metric)


@dataclass(frozen=True)
class Details:
    """What pictures are drawn from, for a result that serves; of the first seed."""

    search: Search
    """Which search."""

    classes: tuple[str, ...]
    """Those that queries have."""

    class_queries: tuple[int, ...]
    """Queries of each class."""

    class_figures: tuple[float, ...]
    """F1@5 (A), mean over the queries that have the class."""

    class_chance: tuple[float, ...]
    """Expected value of a random ranking, likewise."""

    curve_ranks: tuple[int, ...]
    """Ranks at which the curve was taken, ascending, the last of them the gallery's size."""

    curve_recall: tuple[float, ...]
    """Share of the relevant patches found up to each rank, mean over queries."""

    retrieved: tuple[tuple[float, ...], ...]
    """(classes, classes): of queries with the row's class, the share of the five nearest that have the column's."""


@dataclass(frozen=True)
class Classification:
    """Labels predicted from frozen descriptors of one sensor, learnt on the training split, judged on the test one."""

    sensor: str
    """Name of the sensor."""

    head: Purpose
    """The kind of descriptor."""

    classifier: str
    """`k-NN` or `linear probe`."""

    share: float
    """Of the training labels that were used, from 0 to 1."""

    train: int
    """Training rows that were used."""

    test: int
    """Rows that were judged."""

    metric: str
    """`accuracy`, or for several labels a row `micro mAP` and `macro mAP`."""

    value: float
    """Mean over the seeds."""

    seeds: tuple[float, ...]
    """The value of each seed."""

    chance: float
    """What answering at random, or with the most frequent class, gives; the better of both."""

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, of a sample; None for one seed."""
        return _deviation(self.seeds)

    @property
    def question(self) -> tuple[str, str, float, str]:
        """What two reports have in common that answer the same: sensor, classifier, share of the labels, metric."""
        return self.sensor, self.classifier, self.share, self.metric


@dataclass(frozen=True)
class Cost:
    """What describing takes. None where it cannot be known."""

    parameters: int | None
    """Of what makes descriptors, over all sensors."""

    flops_per_image: Mapping[str, int] | None
    """By sensor name: 2 a multiply-add, of matrix products and convolutions."""

    seconds_per_image: Mapping[str, float]
    """By sensor name: measured in this run, reading not included."""

    bytes_per_descriptor: int
    """Of one patch in the index, all kinds together, as float16."""


@dataclass(frozen=True)
class DataFacts:
    """What the figures are of."""

    name: str
    """Name of the set, or `archive`."""

    version: str
    """Fingerprint of the data."""

    archive: str
    """Where it was read from; `sample` for the sample."""

    sensors: tuple[str, ...]
    """Names of the sensors."""

    rows: Mapping[str, int]
    """Number of patches or pairs by split."""

    labelled: Mapping[str, int]
    """Likewise, those with a label."""

    classes: tuple[str, ...]
    """Names of the classes."""

    multi_label: bool
    """Whether a patch may have several."""

    source: str
    """Origin and licence."""

    notes: tuple[str, ...]
    """What must be known before figures are compared."""


@dataclass(frozen=True)
class ModelFacts:
    """What made the descriptors."""

    variant: str
    """Name of the method, of the baseline or of a user's model."""

    models: tuple[str, ...]
    """Fingerprints, one a seed."""

    seeds: tuple[int, ...]
    """The seeds."""

    size: str
    """Size of the method; empty for what has none."""

    config: Mapping[str, Any]
    """The method's config record."""

    recipe: Mapping[str, Any]
    """How it was trained; empty for what was not."""

    train_rows: int
    """Rows that a method was trained on; 0 for baselines, and for users' models, of which it is not known here."""

    steps: int
    """Training steps; 0 likewise."""

    training_seconds: float
    """Of all training steps, mean over the seeds."""

    cost: Cost
    """What describing takes."""


@dataclass(frozen=True)
class Surroundings:
    """Where and when the figures were taken."""

    date: str
    """Day, ISO 8601."""

    machine: str
    """Processor, cores, accelerator where there is one."""

    versions: Mapping[str, str]
    """Of this package and of those that figures may hang on."""

    seconds: float
    """That describing and measuring took."""


@dataclass(frozen=True)
class Report:
    """One benchmark."""

    fingerprint: str
    """Of data, models, baselines and code: a report with the same says the same."""

    data: DataFacts
    """Of what."""

    model: ModelFacts
    """By what."""

    results: tuple[Result, ...]
    """Those that serve first."""

    details: tuple[Details, ...]
    """For each result that serves."""

    classification: tuple[Classification, ...]
    """Empty where the training split has no labels."""

    baselines: Mapping[str, tuple[Result, ...]]
    """By name of the baseline: the results that serve, in the order of `results`; empty for a baseline itself."""

    baseline_classification: Mapping[str, tuple[Classification, ...]]
    """By name of the baseline: its `classification`; empty for a baseline itself."""

    surroundings: Surroundings
    """Where and when."""


def _deviation(seeds: tuple[float, ...]) -> float | None:
    if len(seeds) < 2:
        return None
    mean = sum(seeds) / len(seeds)
    return float((sum((seed - mean) ** 2 for seed in seeds) / (len(seeds) - 1)) ** 0.5)
