"""A status for people."""

from collections.abc import Iterator

from jepa_core.fingerprint import short
from jepa_core.operating.listing import Listed
from jepa_core.operating.status import SensorStatus, Status
from jepa_core.operating.variant_status import VariantStatus


def as_text(status: Status) -> Iterator[str]:
    """The lines, in the order of the chain."""
    yield f"data root  {status.data}"
    yield f"archive    {status.archive}"
    for name, sensor in status.sensors.items():
        yield f"{name}: {_listed(sensor.listed)}"
        if status.made:
            yield from _cut(sensor)
    if status.pairs is not None:
        yield f"pairs: {status.pairs.pairs:,}, {status.pairs.training:,} of them for training"
    for name, variant in status.variants.items():
        yield f"{name}:"
        training = status.pairs.training if status.pairs is not None else 0
        yield from (f"  {line}" for line in _variant(variant, training))
    if status.made:
        yield from _stale(status)
    for what, who in status.at_work.items():
        yield f"at work on {what}: {who}"
    yield from _disk(status)
    for problem in status.problems:
        yield f"not readable: {problem}"
    if status.problems and status.made:
        yield "`jepa doctor` says what mends it"
    if not status.made:
        yield "nothing was made here yet. Run: dagster asset materialize --select crjepa_index"


def _listed(listed: Listed | None) -> str:
    if listed is None:
        return "the archive was not listed"
    waiting = f", {listed.waiting:,} not whole yet, or come a moment ago" if listed.waiting else ""
    return f"{listed.places:,} places in the archive; since the last extraction {listed.new:,} new, " + (
        f"{listed.changed:,} changed, {listed.gone:,} gone{waiting}"
    )


def _cut(sensor: SensorStatus) -> Iterator[str]:
    when = f", extracted {sensor.extracted}" if sensor.extracted else ""
    replaced = f", {sensor.replaced:,} places hold earlier processings or copies of them" if sensor.replaced else ""
    yield f"  {sensor.scenes:,} scenes, {sensor.patches:,} patches{replaced}{when}"
    if sensor.quarantined or sensor.reasons:
        yield f"  {sensor.quarantined:,} places in quarantine, {sensor.waiting:,} of them are tried again by themselves"
        yield from (f"    {reason}" for reason in sensor.reasons)


def _variant(variant: VariantStatus, pairs: int) -> Iterator[str]:
    model, index, report = variant.model, variant.index, variant.report
    if model is None:
        yield "model        none"
    else:
        yield (
            f"model        {short(model.fingerprint)}, {model.size or 'size unknown'}, trained {model.trained} from "
            f"{model.training_pairs:,} pairs; there are {pairs:,} now"
        )
        yield f"descriptors  of {variant.described:,} of {variant.to_describe:,} scenes"
    if index is None:
        yield "index        none"
    else:
        of = "of that model" if index.current else f"of an earlier model, {short(index.model)}"
        held = ", ".join(f"{count:,} {name} patches ({index.searched[name]})" for name, count in index.patches.items())
        recall = "" if index.recall is None else f", least recall@10 {index.recall:.3f}"
        yield f"index        {of}: {held}; {index.shards} shards, {index.segments} segments{recall}"
        if index.older:
            yield f"             and {index.older} older ones"
    if report is not None:
        yield f"benchmark    {report.date}, of {'that' if report.current else 'another'} model"


def _stale(status: Status) -> Iterator[str]:
    if status.stale is None:
        yield "stale: cannot be known, see below"
    elif not status.stale:
        yield "stale: nothing"
    else:
        yield "stale:"
        yield from (f"  {name}, which {why}" for name, why in status.stale.items())
        # The job trains nothing: what waits for a model waits for whoever wants one.
        untrained = [name.removesuffix("_model") for name in status.stale if name.endswith("_model")]
        yield from (f"  Run: dagster asset materialize --select {variant}_index" for variant in untrained)
        waiting = {f"{variant}_{stage}" for variant in untrained for stage in ("model", "descriptors", "index")}
        if not waiting.issuperset(status.stale):
            job = "dagster job execute -m pipelines.definitions -j reindex_new_acquisitions"
            yield f"  Run: {job}, or switch the sensor on"


def _disk(status: Status) -> Iterator[str]:
    parts = ", ".join(f"{name} {_amount(bytes_)}" for name, bytes_ in status.disk.parts.items())
    if parts:
        yield f"disk: {_amount(status.disk.whole)}: {parts}"
    if status.disk.prunable:
        kinds = ", ".join(f"{kind} {_amount(bytes_)}" for kind, bytes_ in status.disk.prunable.items())
        yield f"`jepa prune` would free {_amount(sum(status.disk.prunable.values()))}: {kinds}"


def _amount(bytes_: int) -> str:
    return f"{bytes_ / 1e9:,.2f} GB" if bytes_ >= 1e9 else f"{bytes_ / 1e6:,.1f} MB"
