"""Pairs to a trained model, a model a variant."""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from jepa_core.store import Store
from pipelines.chain import PATCH_PAIRS, model_stage
from pipelines.resources import TrackedRun, Tracking, Workspace
from pipelines.stage import StageInputs, StageResult, as_it_is, run_stage

if TYPE_CHECKING:
    from jepa_core.datasets.labelled_set import LabelledSet
    from jepa_core.training.pretrain import Choice

EXPERIMENT = "pretraining"
ALIAS = "current"


class Size(Enum):
    """Sizes that every variant has."""

    tiny = "tiny"
    small = "small"
    paper = "paper"


class Training(Enum):
    """When a model is trained."""

    as_needed = "as_needed"
    anew = "anew"
    never = "never"


class PretrainingSettings(dg.Config):
    """Settings of a training run."""

    size: Size = Field(default=Size.tiny, description="Size of network and recipe: `tiny`, `small` or `paper`.")
    seed: int = Field(default=0, ge=0, description="Of weights, order, masks and slices.")
    epochs: int | None = Field(default=None, ge=1, description="Instead of the recipe's own number of epochs.")
    processes: int = Field(default=1, ge=1, description="Processes that share each batch: one an accelerator.")
    model: dict[str, Any] = Field(
        default_factory=dict, description="Fields of the method's config to be others than the size's (ablations)."
    )
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Fields of the recipe to be others than the size's, e.g. batch_size."
    )
    training: Training = Field(
        default=Training.as_needed,
        description="`as_needed`: without a model, or with other settings here or upstream; `anew`: on other pairs, "
        "too; `never`: what there is serves on, and without a model nothing follows.",
    )
    gate: bool = Field(
        default=True, description="With `anew`: the new model serves only if it falls behind the old one in no figure."
    )


def model_asset(variant: str) -> dg.AssetsDefinition:
    """The asset `<variant>_model`."""
    stage = model_stage(variant)

    @dg.asset(
        name=stage.name,
        group_name="pretraining",
        deps=[PATCH_PAIRS.name],
        code_version=stage.version,
        kinds={"torch", "mlflow"},
        output_required=False,
        description=f"Encoder trained by {variant} on the training pairs, with the statistics of its inputs.",
    )
    def _model(
        context: dg.AssetExecutionContext,
        config: PretrainingSettings,
        workspace: Workspace,
        tracking: Tracking,
    ) -> Iterator[dg.MaterializeResult[None]]:
        def work(inputs: StageInputs) -> StageResult:
            store = workspace.store()
            parameters = _parameters(variant, config)
            with tracking.run(store, context, EXPERIMENT, inputs.fingerprint, parameters) as run:
                result = _pretrain(variant, config, workspace, inputs, run)
                if config.training is Training.anew and config.gate and inputs.previous is not None:
                    _judge(store, variant, inputs, result, context.log.info)
                version = tracking.register(run, variant, ALIAS)
            result.summary["registered_version"] = version
            result.links["mlflow_run"] = run.url
            return result

        settings = config.model_dump(mode="json", exclude={"training", "gate"})
        if config.training is not Training.never:
            yield run_stage(stage, context, workspace, settings, work, config.training is Training.anew)
        elif (found := as_it_is(stage, context, workspace)) is not None:
            yield found

    return _model


def _judge(store: Store, variant: str, inputs: StageInputs, result: StageResult, say: Callable[[str], None]) -> None:
    """Goes on if the new model may take the place of the one that serves; of one that can't be read it may.

    Raises:
        RejectedError: it may not.
    """
    from jepa_core import atomic
    from jepa_core.evaluation.succession import RejectedError, judge
    from jepa_core.model import ModelError, load_model

    assert inputs.previous is not None
    (candidate,) = result.outputs
    serving = store.root / inputs.previous.summary["folder"]
    try:
        standing = load_model(serving)
    except ModelError as error:
        # Of an older version of the method, mostly: it describes nothing any more, and its index gets no new scenes.
        say(f"the new model takes the place of {serving.name} without being held against it: {error}")
        return
    archive = atomic.read_json(store.root / "root.json")["archive"]
    verdict = judge(store, _pairs(store, inputs), standing, load_model(candidate), archive)
    if not verdict.accepted:
        where = "" if verdict.report is None else f" Its report: {verdict.report / 'report.html'}."
        raise RejectedError(
            f"the new {variant} model in {candidate} does not take the place of {serving.name}, which serves on: "
            f"{verdict.message}.{where} To have it serve all the same, run the job again with `gate: false`"
        )
    say(f"the new model takes the place of {serving.name}: {verdict.message}")


def _pairs(store: Store, inputs: StageInputs) -> "LabelledSet":
    from jepa_core.datasets.stored_pairs import stored_pairs
    from jepa_core.patch_store import stored_sensors
    from jepa_core.tables import PAIRS, read_table

    pairs_version = inputs.upstream[PATCH_PAIRS.name].data_version
    return stored_pairs(store, read_table(store.pairs, PAIRS), stored_sensors(store), pairs_version)


def _parameters(variant: str, config: PretrainingSettings) -> dict[str, Any]:
    """Everything that makes the run what it is, as MLflow's parameters."""
    from dataclasses import asdict

    from jepa_core.variants import registry

    model, recipe = _choice(variant, config).settled()
    return {
        "variant": variant,
        "size": config.size.value,
        "seed": config.seed,
        "processes": config.processes,
        **{f"recipe.{name}": value for name, value in asdict(recipe).items()},
        **{f"model.{name}": value for name, value in registry.config_to_json(model).items()},
    }


def _choice(variant: str, config: PretrainingSettings) -> "Choice":
    from jepa_core.training.pretrain import Choice

    return Choice(variant, config.size.value, config.seed, config.epochs, config.processes, config.model, config.recipe)


def _pretrain(
    variant: str,
    config: PretrainingSettings,
    workspace: Workspace,
    inputs: StageInputs,
    run: TrackedRun,
) -> StageResult:
    from jepa_core.training.pretrain import pretrain

    store = workspace.store()
    trained = pretrain(
        store,
        _choice(variant, config),
        data=_pairs(store, inputs),
        stage_fingerprint=inputs.fingerprint,
        on_step=run.log_row,
    )
    curve = _curves(variant, trained.history)
    for file in sorted(trained.folder.iterdir()):
        run.log_file(file)
    last = trained.history[-1]
    summary = {
        "folder": str(trained.folder.relative_to(store.root)),
        "model": trained.fingerprint,
        "size": config.size.value,
        "seed": config.seed,
        "training_pairs": trained.pairs,
        "parameters": trained.parameters,
        "steps": len(trained.history),
        "seconds_per_step": sum(row["seconds"] for row in trained.history) / len(trained.history),
        "last_loss": last["loss"],
        **{k: v for k, v in last.items() if k.startswith("effective_rank")},
    }
    run.client.set_tag(run.run_id, "jepa.model", trained.fingerprint)
    run.client.set_tag(run.run_id, "jepa.pairs", inputs.upstream[PATCH_PAIRS.name].data_version)
    return StageResult(
        outputs=[trained.folder],
        summary=summary,
        data_version=trained.fingerprint,
        pictures={"training": curve},
    )


def _curves(variant: str, history: Sequence[dict[str, float]]) -> bytes:
    import numpy as np

    from jepa_core.pictures import curves

    hidden = {"step", "seconds", "seconds_waiting_for_data", "images_per_second", "learning_rate"}
    names = list(dict.fromkeys(name for row in history for name in row if name not in hidden))
    series = {}
    for name in names:
        points = [(row["step"], row[name]) for row in history if name in row]
        steps, values = np.array(points).T
        series[name] = (steps, values)
    return curves(f"{variant}: loss, its terms, and monitors of collapse", series)
