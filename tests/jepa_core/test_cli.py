import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.index import Change, SceneVectors, writing
from jepa_core.index.sync import CurrentIndex, current_index, make_current, sync_index
from jepa_core.patch_store import read_patches
from jepa_core.sensors import SENSORS
from jepa_core.stages import StageRecord, size_of, write_record
from jepa_core.store import Store

OTHER = "e" * 64


def record(store, stage, folder, version):
    """The record of a stage whose output is a folder."""
    relative = str(folder.relative_to(store.root))
    return StageRecord(stage, "f", version, {}, {}, {relative: size_of(folder)}, {"folder": relative}, 1.0)


def make_index(store, variant, vectors, rename=lambda sensor, name: name):
    """A current index of another model over the store's patches, its vectors by sensor and kind."""
    changes = {}
    for sensor, of_kind in vectors.items():
        patches = read_patches(store, SENSORS[sensor])
        patches["patch_id"] = [rename(sensor, name) for name in patches["patch_id"]]
        changes[sensor] = Change([SceneVectors("scene", "mark", patches, of_kind)])
    folder = store.index(variant, OTHER)
    with writing(folder) as writer:
        writer.apply(variant, OTHER, changes)
    make_current(store, variant, CurrentIndex(folder, OTHER, current_index(store, "crjepa").model_folder))


@pytest.fixture
def searchable(cut_store, trained, described, tmp_path, monkeypatch):
    """A data root with an index, named by JEPA_DATA."""
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    model = next((store.root / "models" / "crjepa").iterdir())
    sync_index(store, "crjepa", trained.fingerprint, model, tuple(SENSORS))
    write_record(store, record(store, "crjepa_model", model, trained.fingerprint))
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
        (["--patch", "nothing", "--to", "s2"], "no patch 'nothing' in the index"),
        (["--patch", S1, "--to", "s5"], "unknown sensor 's5'"),
        (["--patch", S1, "--to", "s2", "--variant", "vit"], "no variant 'vit'; there are ijepa, mae, rejepa, xjepa"),
        (["--image", "/nowhere.tif", "--sensor", "s1", "--to", "s2"], "there is no file"),
        (["--to", "s2"], "give --patch, --image or --point"),
        (["--image", "x", "--to", "s2"], "need --sensor"),
        (["--patch", S1, "--sensor", "s1", "--to", "s2"], "need --sensor"),
        (["--patch", S1, "--time", "2020-01-01", "--to", "s2"], "--time belongs to --point"),
        (["--point", "0", "0", "--sensor", "s1", "--to", "s2"], "no sentinel1 patch in the index shows longitude 0"),
        (["--patch", S1, "--to", "s2", "--bbox", "9", "80", "8", "-80"], "is no bounding box"),
        (["--patch", S1, "--to", "s2", "--max-cloud", "30"], "max_cloud is 30; a fraction from 0 to 1"),
        (["--patch", S1, "--to", "s2", "--area", "/nowhere.geojson"], "not readable as GeoJSON"),
        (["--patch", S1, "--to", "s2", "--start", "2020-01-02", "--end", "2020-01-01"], "the time range is empty"),
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
    assert f"no {variant} index in" in result.output
    assert f"dagster asset materialize --select {variant}_index" in result.output


def test_the_index_of_the_variant_is_searched_and_its_one_kind_of_descriptor_serves(searchable, described):
    # Vectors of its own, so that the default's cannot pass for them.
    made = {name: {"same": np.roll(of.vectors["same"], 1, axis=0)} for name, of in described.items()}
    make_index(searchable, "mae", made)
    result = jepa("--patch", S1, "--to", "s2", "-k", 1, "--variant", "mae")
    assert "mae knows one sensor at a time" in result.output
    found = lines(result)
    row = described["sentinel1"].patch_ids.tolist().index(S1)
    cosines = made["sentinel2"]["same"] @ made["sentinel1"]["same"][row]
    assert described["sentinel2"].patch_ids[cosines.argmax()] in found[0]
    assert float(found[0].split()[1]) == pytest.approx(cosines.max(), abs=1e-3)
    default = jepa("--patch", S1, "--to", "s2", "-k", 1)
    assert found != lines(default)
    within = jepa("--patch", S1, "--to", "s1", "-k", 1, "--variant", "mae")
    assert not any("knows one sensor at a time" in r.output for r in (default, within))


def test_an_index_behind_the_patches_is_searched_and_pictures_name_the_command(searchable, described, tmp_path):
    vectors = {name: of.vectors for name, of in described.items()}
    make_index(searchable, "xjepa", vectors, lambda sensor, name: name + "_GONE" if sensor == "sentinel2" else name)
    arguments = ("--patch", S1, "--to", "s2", "--variant", "xjepa")
    assert all("_GONE" in line for line in lines(jepa(*arguments)))
    result = jepa(*arguments, "--show", tmp_path / "hits.png")
    assert result.exit_code == 1
    assert "the index is behind the patches" in result.output
    assert "dagster asset materialize --select xjepa_index" in result.output
    assert not (tmp_path / "hits.png").exists()


def test_an_index_that_lost_a_file_is_not_searched(searchable):
    next((searchable.root / "indexes").glob("*/*/segments/*/rows.arrow")).unlink()
    result = jepa("--patch", S1, "--to", "s2")
    assert result.exit_code == 1
    assert "rows.arrow is missing" in result.output
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


def test_until_a_newer_model_has_its_index_the_earlier_one_is_searched(searchable, described):
    model = next((searchable.root / "models" / "crjepa").iterdir())
    before = jepa("--patch", S1, "--to", "s2")
    write_record(searchable, record(searchable, "crjepa_model", model, OTHER))
    after = jepa("--patch", S1, "--to", "s2")
    assert lines(after) == lines(before)
    assert "the index is of an earlier model" in after.output
    assert "earlier model" not in before.output


def test_an_image_is_not_described_by_another_model_than_the_index_s(searchable, synthetic_archive, described):
    make_index(searchable, "crjepa", {name: of.vectors for name, of in described.items()})
    result = jepa("--image", synthetic_archive / "BigEarthNet-S2" / S2, "--sensor", "s2", "--to", "s1")
    assert result.exit_code == 1
    assert "cannot be used with the index of model eeeeeeeeeeee" in result.output


def test_a_picture_that_cannot_be_written_is_said_after_the_hits(searchable, tmp_path):
    (tmp_path / "file").write_text("")
    result = jepa("--patch", S1, "--to", "s2", "-k", 3, "--show", tmp_path / "file" / "hits.png")
    assert result.exit_code == 1
    assert sum(line.split()[:1] in (["1"], ["2"], ["3"]) for line in result.output.splitlines()) == 3
    assert "jepa search: " in result.output
    assert str(tmp_path / "file") in result.output


def test_a_search_by_patch_loads_no_network():
    code = "import sys, jepa_core.search; print([m for m in ('torch', 'sklearn', 'matplotlib') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_filters_places_and_examples_of_several_kinds(searchable, described):
    patches = read_patches(searchable, SENSORS["sentinel2"]).set_index("patch_id")
    row = patches.loc[S2]
    place = ("--point", row["lon"], row["lat"], "--sensor", "s2", "--to", "s2")
    by_place, by_patch = jepa(*place, "-k", 5), jepa("--patch", S2, "--to", "s2", "-k", 5)
    assert lines(by_place) == lines(by_patch)
    box = ("--bbox", row["lon"] - 0.03, row["lat"] - 0.03, row["lon"] + 0.03, row["lat"] + 0.03)
    inside = lines(jepa("--patch", S1, "--to", "s2", "-k", 24, *box))
    near = patches[(patches["lon"] - row["lon"]).abs() <= 0.03]
    assert 0 < len(inside) == len(near) < 24
    labelled = lines(jepa("--patch", S1, "--to", "s2", "-k", 24, "--label", "Pastures"))
    assert len(labelled) == sum("Pastures" in labels for labels in patches["labels"])
    # All were taken at 10:10:31 UTC or later.
    early = ("--patch", S1, "--to", "s2", "-k", 24, "--end")
    assert len(lines(jepa(*early, "2017-06-13T12:10:30+02:00"))) == 0
    assert len(lines(jepa(*early, "2017-06-13T12:10:32+02:00"))) == len(lines(jepa(*early, "2017-06-13T10:10:32")))
    late = jepa("--patch", S1, "--to", "s2", "--start", "2030-01-01")
    assert "no patch meets the conditions" in late.output
    vectors = described["sentinel2"].vectors["same"]
    ids = described["sentinel2"].patch_ids.tolist()
    other, unwanted = ids[3], ids[7]
    query = (vectors[ids.index(S2)] + vectors[3]) / 2 - vectors[7] / 2
    cosines = vectors @ query / np.linalg.norm(query)
    expected = [ids[i] for i in np.argsort(-cosines) if ids[i] not in (S2, other, unwanted)][:3]
    found = lines(jepa("--patch", S2, "--patch", other, "--unlike", unwanted, "--to", "s2", "-k", 3))
    assert [any(name in line for name in expected) for line in found] == [True] * 3


def test_the_index_is_told_about_and_compacted(searchable):
    def index(*arguments):
        result = CliRunner().invoke(app, ["index", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "sentinel1: 24 patches in 1 segments, and 0 withdrawn rows" in index("status")
    old = searchable.index("crjepa", OTHER)
    shutil.copytree(current_index(searchable, "crjepa").folder, old)
    assert f"older: {old}" in index("status")
    assert "MB before" in index("compact")
    assert len(lines(jepa("--patch", S1, "--to", "s2"))) == 10
