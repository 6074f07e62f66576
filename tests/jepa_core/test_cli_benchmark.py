"""`jepa benchmark` and `jepa reference` as users type them."""

import json

import pytest
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.datasets import registry
from jepa_core.evaluation.report_json import from_json
from jepa_core.sensors import SENTINEL2
from tests.labelled import labelled_set

SETTINGS = """
[model]
input_size = 16
patch_size = 8
width = 16
depth = 1
heads = 2
decoder_width = 16
decoder_heads = 2
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.OPENERS, "drawn", lambda root: labelled_set(rows=80))
    monkeypatch.setitem(registry.OPENERS, "drawn-s2", lambda root: labelled_set(rows=80, sensors=(SENTINEL2,)))
    monkeypatch.setenv("JEPA_DATA", str(tmp_path / "data"))
    (tmp_path / "settings.toml").write_text(SETTINGS)

    def invoke(*arguments, dataset="drawn-s2", root=tmp_path):
        return CliRunner().invoke(app, ["benchmark", "--dataset", dataset, "--root", str(root), *arguments])

    invoke.settings = ["--settings", str(tmp_path / "settings.toml")]
    return invoke


def test_a_method_is_trained_judged_and_put_beside_baselines_and_others(run, tmp_path):
    first = run("--variant", "mae", "--epochs", "1", "--seed", "0", "--seed", "1", *run.settings, "--json")
    assert first.exit_code == 0, first.output
    report = from_json(json.loads(first.stdout), "standard output")
    assert report.model.seeds == (0, 1)
    assert report.model.config["width"] == 16
    assert report.data.archive == tmp_path.name
    assert len(report.baselines) == 5
    page = tmp_path / "data/sets/drawn-s2/benchmarks/mae/report.html"
    written = page.stat().st_mtime_ns

    (tmp_path / "plain.toml").write_text(SETTINGS.replace("decoder", "predictor").replace("predictor_heads = 2", ""))
    other = run("--variant", "rejepa", "--epochs", "1", *run.settings[:1], str(tmp_path / "plain.toml"))
    assert other.exit_code == 0, other.output
    assert "| search | protocol | queries | F1@5 (A) | chance | random-vectors |" in other.stdout
    assert "Beside mae:" in other.stdout
    assert (tmp_path / "data/sets/drawn-s2/benchmarks/comparison/report.html").exists()

    again = run("--variant", "mae", "--epochs", "1", "--seed", "0", "--seed", "1", *run.settings, "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert page.stat().st_mtime_ns == written


@pytest.mark.slow
def test_settings_are_chosen_on_the_validation_split_and_the_same_model_is_judged_on_the_test_split(run, tmp_path):
    train = ("--variant", "mae", "--epochs", "1", *run.settings, "--json")
    chosen = run(*train, "--part", "val")
    assert chosen.exit_code == 0, chosen.output
    chosen = from_json(json.loads(chosen.stdout), "standard output")
    data = labelled_set(rows=80, sensors=(SENTINEL2,))
    assert chosen.data.labelled["test"] == len(data.labelled_rows("val"))
    assert chosen.data.labelled["val"] == 0
    assert "judged on the validation split" in chosen.data.notes[-1]
    reports = tmp_path / "data/sets/drawn-s2"
    assert (reports / "validation/benchmarks/mae/report.html").exists()
    assert not (reports / "benchmarks").exists()

    counted = from_json(json.loads(run(*train).stdout), "standard output")
    assert counted.model.models == chosen.model.models
    assert counted.model.training_seconds == chosen.model.training_seconds
    assert counted.data.labelled["test"] == len(data.labelled_rows("test"))


def test_a_baseline_is_a_variant_too_and_gets_pictures_when_asked_for_by_name(run, tmp_path):
    folder = tmp_path / "data/sets/drawn-s2/benchmarks/band-statistics"
    assert run("--variant", "timm:test_vit").exit_code == 0
    assert not folder.exists()
    asked = run("--variant", "band-statistics")
    assert asked.exit_code == 0, asked.output
    assert list(folder.glob("*.png"))
    assert "Beside" not in asked.stdout


@pytest.mark.slow
def test_a_model_that_knows_one_sensor_of_a_pair_is_judged_on_that(run, tmp_path):
    (tmp_path / "encoder.toml").write_text('[sensors.sentinel2]\nbands = ["B04", "B03", "B02"]\n')
    arguments = ("--variant", "timm:test_vit", "--encoder-settings", str(tmp_path / "encoder.toml"), "--json")
    result = run(*arguments, dataset="drawn")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["data"]["sensors"] == ["sentinel2"]
    assert {row["search"]["query"] for row in report["results"]} == {"sentinel2"}
    assert report["model"]["config"]["sentinel2"]["bands"] == ["B04", "B03", "B02"]


def test_several_seeds_of_random_weights_are_several_models(run, tmp_path):
    (tmp_path / "encoder.toml").write_text("[sensors.sentinel2]\nside = 32\n")
    settings = ("--encoder-settings", str(tmp_path / "encoder.toml"), "--json")
    result = run("--variant", "timm:test_vit", "--seed", "3", "--seed", "4", *settings)
    assert result.exit_code == 0, result.output
    model = json.loads(result.stdout)["model"]
    assert model["seeds"] == [3, 4]
    assert len(set(model["models"])) == 2
    assert model["config"]["sentinel2"]["side"] == 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--variant", "bert"],
            "no variant 'bert'; there are the methods ijepa, mae, rejepa, xjepa, crjepa, lejepa, the ",
        ),
        (["--variant", "timm:no_such_model"], "no_such_model"),
        (["--variant", "crjepa"], "takes two sensors, not 1"),
        (["--variant", "mae", "--epochs", "0"], "cannot train for 0 epochs"),
        (
            ["--variant", "mae", "--encoder-settings", __file__],
            "mae is a method, for which there is no --encoder-settings",
        ),
        (
            ["--variant", "pca", "--epochs", "0", "--encoder-settings", __file__],
            "pca is a baseline, for which there is no --epochs and no --encoder-settings",
        ),
        (["--variant", "onnx:a", "--epochs", "1"], "onnx:a is a model of yours, for which there is no --epochs"),
        (["--variant", "timm:test_vit", "--settings", __file__], "model of yours, for which there is no --settings"),
        (["--variant", "timm:test_vit:a", "--seed", "0"], "a model of given weights, for which there is no --seed"),
        (["--variant", "python:a:b", "--seed", "1"], "a model of given weights, for which there is no --seed"),
    ],
)
def test_what_cannot_be_is_one_plain_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.startswith("jepa benchmark: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--settings", "--encoder-settings"])
def test_settings_that_are_not_there_are_said_to_be_so(run, tmp_path, option):
    for path, message in ((tmp_path / "none.toml", "does not exist"), (tmp_path, "is a directory")):
        result = run("--variant", "mae", option, str(path))
        # It comes in a frame, which breaks lines.
        said = " ".join(result.stderr.replace("│", " ").split())
        assert result.exit_code == 2
        assert option in said
        assert message in said


def test_a_set_that_is_not_known_or_not_there_is_a_plain_error(run, tmp_path):
    unknown = run("--variant", "mae", dataset="imagenet")
    assert (unknown.exit_code, "unknown set 'imagenet'; known are ben-v2, ben14k" in unknown.stderr) == (1, True)
    missing = run("--variant", "mae", dataset="eurosat-rgb", root=tmp_path / "EuroSAT_RGB.zip")
    assert missing.exit_code == 1
    assert "EuroSAT_RGB.zip" in missing.stderr


def test_an_interruption_is_said_in_one_line(run, monkeypatch):
    def interrupt(root):
        raise KeyboardInterrupt

    monkeypatch.setitem(registry.OPENERS, "drawn-s2", interrupt)
    ended = run("--variant", "mae")
    assert ended.exit_code == 130
    assert ended.stderr == "jepa benchmark: interrupted; what was finished is kept\n"


def test_a_report_becomes_the_reference(run, tmp_path):
    assert run("--variant", "pca").exit_code == 0
    kept = CliRunner().invoke(app, ["reference", "--variant", "pca", "--dataset", "drawn-s2"])
    assert kept.exit_code == 0, kept.output
    assert (tmp_path / "data/sets/drawn-s2/references/pca.json").exists()
    again = run("--variant", "pca")
    assert (again.exit_code, "pca.json" in again.stderr) == (0, True)
    path = tmp_path / "data/sets/drawn-s2/references/pca.json"
    fields = json.loads(path.read_text())
    for figure in fields["figures"]:
        figure["value"] = 1.5
    path.write_text(json.dumps(fields))
    fallen = run("--variant", "pca")
    assert fallen.exit_code == 1
    assert "F1@5 (A) of" in fallen.stderr
    none = CliRunner().invoke(app, ["reference", "--variant", "mae"])
    assert none.exit_code == 1
    assert "no report at" in none.stderr


def test_a_seed_below_zero_is_refused_before_anything_is_read(run, tmp_path):
    result = run("--variant", "mae", "--seed", "-1")
    assert result.exit_code == 2
    assert not (tmp_path / "data").exists()
