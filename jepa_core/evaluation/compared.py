"""What a comparison of several methods' reports says, as its `report.json` holds it."""

from collections.abc import Mapping
from dataclasses import dataclass

from jepa_core.evaluation.charts import Curve
from jepa_core.evaluation.definitions import definition
from jepa_core.evaluation.results import Classification, Figure, ModelFacts, Search
from jepa_core.evaluation.verdict import Verdict, verdict


@dataclass(frozen=True)
class Difference:
    """How far two methods lie apart in one search, from paired values of the same queries."""

    metric: str
    """Name of the metric."""

    search: Search
    """Which search."""

    one: str
    """Name of the one method."""

    other: str
    """Name of the other."""

    difference: float
    """Mean over queries of the one's figure less the other's."""

    low: float
    """Lower end of its 95 % interval."""

    high: float
    """Upper end."""

    p: float
    """Probability of a difference as large where there is none."""

    p_corrected: float
    """The same, corrected for the pairs of methods of this search and metric."""


@dataclass(frozen=True)
class Line:
    """One metric of one search, by every method with the descriptors that serve it."""

    search: Search
    """Which search."""

    metric: str
    """Which metric."""

    queries: int
    """Number of queries."""

    gallery_size: int
    """Patches that a query chooses from."""

    figures: Mapping[str, Figure]
    """By method."""

    chance: float
    """Expected value of a random ranking."""

    baselines: Mapping[str, float]
    """By name of the baseline; where reports have different figures for one, the best of them."""

    @property
    def best(self) -> frozenset[str]:
        """The method with the best figure, or the methods."""
        return _best(self.metric, self.figures)

    def verdict(self, method: str) -> Verdict:
        """What a method's figure is worth beside chance and the baselines; a baseline is not held against itself."""
        return verdict(self.figures[method], self.rivals(method))

    def rivals(self, method: str) -> dict[str, float]:
        """The baselines that a method is held against."""
        return _rivals(self.baselines, method)


@dataclass(frozen=True)
class ClassificationLine:
    """Labels predicted from the descriptors of every method."""

    sensor: str
    """Name of the sensor."""

    classifier: str
    """`k-NN` or `linear probe`."""

    share: float
    """Of the training labels that were used, from 0 to 1."""

    metric: str
    """As in `Classification`."""

    figures: Mapping[str, Classification]
    """By method; their kinds of descriptor may differ."""

    chance: float
    """What answering without looking gives."""

    baselines: Mapping[str, float]
    """By name of the baseline; where reports have different figures for one, the best of them."""

    @property
    def best(self) -> frozenset[str]:
        """The method with the best figure, or the methods."""
        return _best(self.metric, self.figures)

    def rivals(self, method: str) -> dict[str, float]:
        """The baselines that a method is held against."""
        return _rivals(self.baselines, method)


@dataclass(frozen=True)
class Curves:
    """Recall by rank in one search."""

    search: Search
    """Which search."""

    methods: tuple[Curve, ...]
    """One a method."""


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    data: str
    """Name of the set."""

    version: str
    """Data version that all reports share."""

    multi_label: bool
    """Whether a patch may have several classes."""

    methods: Mapping[str, ModelFacts]
    """By name, in the order of the columns."""

    lines: tuple[Line, ...]
    """Search by search, in the order of the reports; within a search metric by metric."""

    classification: tuple[ClassificationLine, ...]
    """In the order of the reports; empty where the training split has no labels."""

    curves: tuple[Curves, ...]
    """In the order of the reports."""

    differences: tuple[Difference, ...]
    """Between pairs of methods; empty where they were not computed."""

    notes: tuple[str, ...]
    """What a reader must know before figures are compared."""


def _best(metric: str, figures: Mapping[str, Figure] | Mapping[str, Classification]) -> frozenset[str]:
    better = definition(metric).better
    values = [figure.value for figure in figures.values()]
    return frozenset(name for name, figure in figures.items() if not any(better(v, figure.value) for v in values))


def _rivals(baselines: Mapping[str, float], method: str) -> dict[str, float]:
    return {name: value for name, value in baselines.items() if name != method}
