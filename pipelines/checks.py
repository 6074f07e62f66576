"""Blocking checks: what a stage wrote is read again and looked at before anything downstream uses it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import numpy as np

from jepa_core.choice import evenly
from jepa_core.errors import JepaError
from jepa_core.sensors import SENTINEL1, SENTINEL2, Sensor
from jepa_core.store import Store
from pipelines.resources import Workspace

_ALIKE = 0.999
"""Cosine from which on two patches look the same: vectors are kept in half precision."""

_LOOKED_AT = 8
"""Newest scenes, and an even choice of all, whose patches or descriptors are read: a cost that does not grow."""

Finding = tuple[bool, dict[str, int | float | str]]
"""Whether all is well, and figures to show."""


def _check(asset: str, description: str, look: Callable[[Store], Finding]) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=f"{asset}_whole", blocking=True, description=description)
    def _run(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> dg.AssetCheckResult:
        # What reading finds wrong comes as an error with a plain message: that is a failed check too.
        try:
            passed, figures = look(workspace.store(asset))
            reason = "" if passed else f"{asset} is not whole: {figures}"
        except JepaError as error:
            passed, figures, reason = False, {}, str(error)
        if not passed:
            context.log.error(reason)
        return dg.AssetCheckResult(passed=passed, metadata=figures, description=reason or None)

    return _run


def _patches(kind: Sensor) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core.patch_store import read_manifest, read_patches, read_pixels, stored_sensor

        sensor = stored_sensor(store, kind)
        manifest = read_manifest(store, sensor)
        root = store.patches(sensor)
        looked_at = manifest.iloc[
            _newest_and_even([root / folder / "patches.parquet" for folder in manifest["folder"]])
        ]
        patches = read_patches(store, sensor, scenes=set(looked_at["scene_id"]))
        expected = int(looked_at["patches"].sum())
        # A few of many: enough to see a wrong unit or a broken store.
        chosen = patches.iloc[evenly(len(patches), 32)]
        pixels = read_pixels(store, sensor, chosen).astype(np.float64)
        means = np.nanmean(pixels, axis=(0, 2, 3))
        in_range = all(
            band.mean_range[0] <= mean <= band.mean_range[1] for band, mean in zip(sensor.bands, means, strict=True)
        )
        figures: dict[str, int | float | str] = {
            "patches": int(manifest["patches"].sum()),
            "patches_read": len(patches),
            "patches_expected": expected,
            **{f"mean_{band.name}": float(m) for band, m in zip(sensor.bands, means, strict=True)},
        }
        return len(patches) == expected and bool(np.isfinite(means).all()) and in_range, figures

    return look


def _pairs(store: Store) -> Finding:
    from jepa_core.patch_store import read_patches
    from jepa_core.tables import PAIRS, read_table

    pairs = read_table(store.pairs, PAIRS)
    unknown = sum(
        int((~pairs[column].isin(read_patches(store, sensor, ["patch_id"])["patch_id"])).sum())
        for sensor, column in ((SENTINEL1, "patch_a"), (SENTINEL2, "patch_b"))
    )
    return len(pairs) > 0 and unknown == 0, {"pairs": len(pairs), "unknown_patches": unknown}


def _model(variant: str) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core.catalog import current_model
        from jepa_core.model import load_model

        current = current_model(store, variant)
        model = load_model(current.folder)
        broken = [name for name, value in model.variant.state_dict().items() if not value.isfinite().all()]
        same = model.fingerprint == current.fingerprint
        return same and not broken, {"model": model.fingerprint, "tensors_not_finite": len(broken)}

    return look


def _descriptors(variant: str) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core.catalog import current_model
        from jepa_core.described_scenes import described_scenes

        model = current_model(store, variant).fingerprint
        figures: dict[str, int | float | str] = {"model": model}
        for sensor in (SENTINEL1, SENTINEL2):
            scenes = described_scenes(store, variant, model, sensor)
            for i in _newest_and_even([scene.descriptors for scene in scenes]):
                # Makes sure of the model, of finite values and unit norms, and of the patches that they are of.
                scenes[i].read()
            figures[f"{sensor.name}_descriptors"] = sum(scene.patches for scene in scenes)
        return True, figures

    return look


def _newest_and_even(files: Sequence[Path]) -> list[int]:
    """Positions of the files that were written last, and of an even choice of all."""

    def written(position: int) -> int:
        try:
            return files[position].stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            # It is read first, and the reader says what is missing.
            return sys.maxsize

    newest = sorted(range(len(files)), key=written)[-_LOOKED_AT:]
    return sorted({*newest, *(int(i) for i in evenly(len(files), _LOOKED_AT))})


def _index(variant: str) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core.catalog import current_model
        from jepa_core.index.sync import current_index, open_current, verify
        from jepa_core.patch_store import read_manifest, read_patches

        current = current_index(store, variant)
        verify(current)
        index = open_current(current)
        figures: dict[str, int | float | str] = {"model": index.model}
        whole = index.model == current_model(store, variant).fingerprint
        for sensor in (SENTINEL1, SENTINEL2):
            manifest = read_manifest(store, sensor)
            whole &= index.count(sensor) == int(manifest["patches"].sum())
            # A patch is nearest to itself, or to others that look exactly like it; else the ids are mixed up.
            scene = set(manifest["scene_id"].iloc[len(manifest) // 2 :][:1])
            ids = read_patches(store, sensor, ["patch_id"], scene)["patch_id"]
            probe = str(ids.iloc[len(ids) // 2])
            vector = index.vector(probe, "same", sensor)
            hits = index.search(vector, index.model, "same", sensor, 3)
            whole &= probe in hits.patch_ids[0] or min(hits.scores[0]) > _ALIKE
            figures[f"{sensor.name}_vectors"] = index.count(sensor)
        return whole, figures

    return look


def _benchmark(variant: str) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core.evaluation.definitions import definition
        from jepa_core.evaluation.report import read_report

        # Reading makes sure that all figures are finite.
        report = read_report(store.benchmark(variant))
        serving = [result.search for result in report.results if result.serves]
        rows = {(result.search, result.head) for result in report.results}
        directions = {(s.query, s.gallery) for s in serving if s.protocol == "test"}
        figures = [figure for result in report.results for figure in result.figures]
        shares = [figure for figure in figures if definition(figure.metric).share]
        whole = (
            report.model.variant == variant
            and len(serving) == len(set(serving))
            and len(rows) == len(report.results)
            and len(directions) == len(report.data.sensors) ** 2
            and all(0 <= figure.low <= figure.high <= 1 for figure in shares)
        )
        return whole, {"searches": len(serving), "figures": len(figures)}

    return look


def _comparison(variants: Sequence[str]) -> Callable[[Store], Finding]:
    def look(store: Store) -> Finding:
        from jepa_core import atomic

        lines = atomic.read_json(store.comparison / "report.json")["lines"]
        whole = all(sorted(line["figures"]) == sorted(variants) for line in lines)
        return bool(lines) and whole, {"lines": len(lines)}

    return look


def _gate(variant: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{variant}_benchmark",
        name="benchmark_gate",
        description="No main figure lies under the stored reference by more than its interval.",
    )
    def _run(workspace: Workspace) -> dg.AssetCheckResult:
        from jepa_core.evaluation.gate import gate, read_reference
        from jepa_core.evaluation.report import read_report

        store = workspace.store(f"{variant}_benchmark")
        path = store.benchmark_reference(variant)
        if not path.exists():
            hint = f"no reference is stored; `jepa reference --variant {variant}` makes one of the current report"
            return dg.AssetCheckResult(passed=True, description=hint)
        try:
            found = gate(read_report(store.benchmark(variant)), read_reference(path))
        except JepaError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        return dg.AssetCheckResult(
            passed=found.passed,
            # Other data are no fall, but nothing was held against anything either.
            severity=dg.AssetCheckSeverity.ERROR if found.comparable else dg.AssetCheckSeverity.WARN,
            metadata={"fallen": len(found.fallen)},
            description="; ".join([found.message, *found.fallen]),
        )

    return _run


def _drift_check(variant: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{variant}_descriptors",
        name="descriptor_drift",
        description="New scenes look like those that the model was trained on. If not, `retrain_<method>` is due.",
    )
    def _run(workspace: Workspace) -> dg.AssetCheckResult:
        from jepa_core.catalog import current_model
        from jepa_core.drift import SHARE, TOO_MANY, drift_figures, read_drift

        store = workspace.store(f"{variant}_descriptors")
        model = current_model(store, variant).fingerprint
        drifts = read_drift(store, variant, model, (SENTINEL1.name, SENTINEL2.name))
        return dg.AssetCheckResult(
            passed=not any(drift.found for drift in drifts),
            severity=dg.AssetCheckSeverity.WARN,
            metadata=drift_figures(drifts),
            description=f"Of new patches, {SHARE:.0%} are expected to be farther from all training patches than "
            f"{1 - SHARE:.0%} of these are from each other; above {TOO_MANY:.0%}, for certain, it is time to train.",
        )

    return _run


def _quarantine_check(kind: Sensor) -> dg.AssetChecksDefinition:
    asset = f"{kind.name}_patches"

    @dg.asset_check(
        asset=asset,
        name=f"{asset}_readable",
        description="No more of the archive's scenes are unreadable than `max_quarantined` allows.",
    )
    def _run(workspace: Workspace) -> dg.AssetCheckResult:
        from jepa_core.stages import read_record

        record = read_record(workspace.store(), asset)
        if record is None:
            return dg.AssetCheckResult(passed=False, description=f"{asset} was never made")
        share, allowed = record.summary["share_quarantined"], record.config["max_quarantined"]
        return dg.AssetCheckResult(
            passed=share <= allowed,
            metadata={
                "share_quarantined": share,
                "max_quarantined": allowed,
                "scenes_quarantined": record.summary["scenes_quarantined"],
                "patches_quarantined": record.summary["patches_quarantined"],
            },
            description=f"{share:.0%} of the places that should hold a scene cannot be read; {allowed:.0%} are allowed",
        )

    return _run


def ingest_checks() -> list[dg.AssetChecksDefinition]:
    """Checks of patches and pairs."""
    what = (
        "Of the newest and of an even choice of scenes: tables keep their schema, counts agree with the manifest, "
        "values lie in the sensor's range. `jepa doctor` reads all."
    )
    return [
        _check("sentinel1_patches", what, _patches(SENTINEL1)),
        _check("sentinel2_patches", what, _patches(SENTINEL2)),
        _quarantine_check(SENTINEL1),
        _quarantine_check(SENTINEL2),
        _check("patch_pairs", "The table keeps its schema and names patches that are there.", _pairs),
    ]


def variant_checks(variant: str) -> list[dg.AssetChecksDefinition]:
    """Checks of a variant's model, descriptors, index and benchmark."""
    return [
        _check(
            f"{variant}_model",
            "Files are those that were written, weights finite.",
            _model(variant),
        ),
        _check(
            f"{variant}_descriptors",
            "Every scene has descriptors of the current model; those of the newest and of an even choice of scenes are "
            "finite, of unit norm and of the scene's patches. `jepa doctor` reads all.",
            _descriptors(variant),
        ),
        _drift_check(variant),
        _check(
            f"{variant}_index",
            "Files are those that were written, it is the current model's, and every patch is in it and finds itself.",
            _index(variant),
        ),
        _check(
            f"{variant}_benchmark",
            "Every direction is there, each search once a kind of descriptor; shares from 0 to 1 in their intervals.",
            _benchmark(variant),
        ),
        _gate(variant),
    ]


def comparison_check(variants: Sequence[str]) -> dg.AssetChecksDefinition:
    """Check of the comparison of some variants' benchmarks."""
    return _check("benchmark_comparison", "Every line has a figure of every variant.", _comparison(variants))
