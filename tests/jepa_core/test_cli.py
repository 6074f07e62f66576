import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.index import build_index
from jepa_core.stages import StageRecord, size_of, write_record
from jepa_core.store import Store
from jepa_core.vectors import Descriptors


def record(store, stage, folder, version):
    """The record of a stage whose output is a folder."""
    relative = str(folder.relative_to(store.root))
    return StageRecord(stage, "f", version, {}, {}, {relative: size_of(folder)}, {"folder": relative}, 1.0)


@pytest.fixture
def searchable(cut_store, trained, described, tmp_path, monkeypatch):
    """A data root with an index, named by JEPA_DATA."""
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    folder = store.index("crjepa", trained.fingerprint)
    build_index(folder, "crjepa", trained.fingerprint, described)
    model = next((store.root / "models" / "crjepa").iterdir())
    for stage, output, version in (
        ("crjepa_model", model, trained.fingerprint),
        ("crjepa_index", folder, "v"),
    ):
        write_record(store, record(store, stage, output, version))
    monkeypatch.setenv("JEPA_DATA", str(store.root))
    return store


def jepa(*arguments):
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


S1 = "S1A_IW_GRDH_1SDV_20170614T165043_33UUP_4_0"
S2 = "S2A_MSIL2A_20170614T101031_4_0"


def lines(result):
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if line.split()[:1] and line.split()[0].isdigit()]


def test_across_sensors(searchable, described):
    found = lines(jepa("--patch", S1, "--to", "s2", "-k", 24))
    assert len(found) == 24
    scores = [float(line.split()[1]) for line in found]
    assert scores == sorted(scores, reverse=True)
    pair = [line for line in found if "[same place]" in line]
    assert len(pair) == 1
    assert S2 in pair[0]
    row = described["sentinel1"].patch_ids.tolist().index(S1)
    cosines = described["sentinel2"].vectors["cross"] @ described["sentinel1"].vectors["cross"][row]
    assert scores[0] == pytest.approx(cosines.max(), abs=1e-3)
    assert described["sentinel2"].patch_ids[cosines.argmax()] in found[0]


def test_within_a_sensor_the_query_is_no_hit(searchable):
    found = lines(jepa("--patch", S2, "--to", "s2", "-k", 5))
    assert len(found) == 5
    assert not any(S2 + ":" in line or S2 + " " in line for line in found)
    assert all("2017-06-13 10:10" in line for line in found)
    assert all("Inland waters" in line for line in found)


def test_an_image_of_the_archive_finds_itself(searchable, synthetic_archive):
    folder = synthetic_archive / "BigEarthNet-S2" / S2
    found = lines(jepa("--image", folder, "--sensor", "s2", "--to", "s2", "-k", 1))
    assert S2 + ":" in found[0]
    assert float(found[0].split()[1]) == pytest.approx(1, abs=2e-3)


def test_the_hits_as_pictures(searchable, tmp_path):
    result = jepa("--patch", S1, "--to", "s2", "-k", 7, "--show", tmp_path / "deep" / "hits.png")
    assert "pictures: " in result.output
    with Image.open(tmp_path / "deep" / "hits.png") as picture:
        assert picture.format == "PNG"
        # Two rows of six tiles are wider than high.
        assert picture.width > picture.height > 300


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--patch", "nothing", "--to", "s2"], "no patch 'nothing' in"),
        (["--patch", S1, "--to", "s5"], "unknown sensor 's5'"),
        (["--patch", S1, "--to", "s2", "--variant", "vit"], "no variant 'vit'; there are ijepa, mae, rejepa, xjepa"),
        (["--image", "/nowhere.tif", "--sensor", "s1", "--to", "s2"], "there is no file"),
        (["--to", "s2"], "give either --patch or --image"),
        (["--patch", S1, "--image", "x", "--sensor", "s1", "--to", "s2"], "either --patch or"),
        (["--image", "x", "--to", "s2"], "--image needs --sensor"),
        (["--patch", S1, "--to", "s2", "-k", "0"], "k"),
        (["--patch", S1, "--to", "s2", "--show", "."], "needs the name of a PNG"),
        (["--patch", S1, "--to", "s2", "--show", "hits.jpg"], "needs the name of a PNG"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(searchable, arguments, says):
    result = jepa(*arguments)
    assert result.exit_code != 0
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("given", "variant"), [([], "crjepa"), (["--variant", "mae"], "mae")])
def test_without_an_index_the_command_that_makes_it_is_named(tmp_path, monkeypatch, given, variant):
    monkeypatch.setenv("JEPA_DATA", str(tmp_path))
    result = jepa("--patch", S1, "--to", "s2", *given)
    assert result.exit_code == 1
    assert f"no whole {variant} index in" in result.output
    assert f"dagster asset materialize --select {variant}_index" in result.output


def test_the_index_of_the_variant_is_searched_and_its_one_kind_of_descriptor_serves(searchable, described):
    # Vectors of its own, so that the default's cannot pass for them.
    made = {
        name: Descriptors(of.patch_ids, {"same": np.roll(of.vectors["same"], 1, axis=0)})
        for name, of in described.items()
    }
    folder = searchable.index("mae", "e" * 64)
    build_index(folder, "mae", "e" * 64, made)
    for stage in ("mae_model", "mae_index"):
        write_record(searchable, record(searchable, stage, folder, "e" * 64))
    result = jepa("--patch", S1, "--to", "s2", "-k", 1, "--variant", "mae")
    assert "mae knows one sensor at a time" in result.output
    found = lines(result)
    row = made["sentinel1"].patch_ids.tolist().index(S1)
    cosines = made["sentinel2"].vectors["same"] @ made["sentinel1"].vectors["same"][row]
    assert made["sentinel2"].patch_ids[cosines.argmax()] in found[0]
    assert float(found[0].split()[1]) == pytest.approx(cosines.max(), abs=1e-3)
    default = jepa("--patch", S1, "--to", "s2", "-k", 1)
    assert found != lines(default)
    within = jepa("--patch", S1, "--to", "s1", "-k", 1, "--variant", "mae")
    assert not any("knows one sensor at a time" in r.output for r in (default, within))


def test_an_index_behind_the_patches_names_the_command_that_brings_it_up(searchable, described):
    made = {
        name: Descriptors(np.array([f"{patch}_GONE" for patch in of.patch_ids], dtype=object), of.vectors)
        for name, of in described.items()
    }
    made["sentinel1"] = described["sentinel1"]
    folder = searchable.index("xjepa", "e" * 64)
    build_index(folder, "xjepa", "e" * 64, made)
    for stage in ("xjepa_model", "xjepa_index"):
        write_record(searchable, record(searchable, stage, folder, "e" * 64))
    result = jepa("--patch", S1, "--to", "s2", "--variant", "xjepa")
    assert result.exit_code == 1
    assert "the index is behind the patches" in result.output
    assert "dagster asset materialize --select xjepa_index" in result.output


def test_an_index_that_lost_a_file_is_not_searched(searchable):
    next((searchable.root / "indexes").glob("*/*/ids.parquet")).unlink()
    result = jepa("--patch", S1, "--to", "s2")
    assert result.exit_code == 1
    assert "dagster asset materialize --select crjepa_index" in result.output


def test_a_data_root_of_another_archive_is_refused(searchable, monkeypatch, tmp_path):
    (searchable.root / "root.json").write_text('{"archive": "/some/archive"}')
    monkeypatch.setenv("JEPA_ARCHIVE", str(tmp_path))
    result = jepa("--patch", S1, "--to", "s2")
    assert result.exit_code == 1
    assert "holds products of the archive '/some/archive'" in result.output
    assert "unset" not in result.output
    monkeypatch.delenv("JEPA_ARCHIVE")
    assert "JEPA_ARCHIVE is unset" in jepa("--patch", S1, "--to", "s2").output


def test_an_index_of_another_model_refuses_the_current_model_s_queries(searchable, synthetic_archive, described):
    folder = searchable.index("crjepa", "e" * 64)
    build_index(folder, "crjepa", "e" * 64, described)
    write_record(searchable, record(searchable, "crjepa_index", folder, "v"))
    by_patch = jepa("--patch", S1, "--to", "s2")
    assert by_patch.exit_code == 1
    assert "cannot be searched in the index of model eeeeeeeeeeee" in by_patch.output
    result = jepa("--image", synthetic_archive / "BigEarthNet-S2" / S2, "--sensor", "s2", "--to", "s1")
    assert result.exit_code == 1
    assert "cannot be searched in the index of model eeeeeeeeeeee" in result.output
