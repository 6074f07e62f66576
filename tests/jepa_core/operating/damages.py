"""Ways in which one thing of a data root breaks; each gives the path that is to be named."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from jepa_core import atomic
from jepa_core.descriptors import read_scene_descriptors, write_scene_descriptors
from jepa_core.index import Change, writing
from jepa_core.index.sync import current_index
from jepa_core.sensors import SENTINEL1, SENTINEL2

OTHER = "b" * 64


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def a_scene(root, sensor=SENTINEL2):
    return sorted(p for p in root.patches(sensor).iterdir() if p.is_dir())[3]


def descriptors(root):
    return sorted(root.descriptors("crjepa", current_index(root, "crjepa").model).glob("sentinel1/*.parquet"))[2]


def pixels_with_another_bit(root):
    flip(a_scene(root) / "pixels.zarr/pixels/c/0/0/0/0")
    return a_scene(root)


def a_table_of_patches_cut_short(root):
    cut_short(a_scene(root, SENTINEL1) / "patches.parquet")
    return a_scene(root, SENTINEL1)


def a_table_of_patches_with_another_value_of_the_same_size(root):
    path = a_scene(root) / "patches.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("valid_fraction")
    size = path.stat().st_size
    pq.write_table(table.set_column(at, "valid_fraction", [[0.25] * len(table)]), path)
    content = path.read_bytes()
    manifest = root.patches(SENTINEL2) / "manifest.parquet"
    rows = pd.read_parquet(manifest)
    rows.loc[rows["folder"] == path.parent.name, "bytes"] += len(content) - size
    rows.to_parquet(manifest, index=False)
    records = root.stage_records / "sentinel2_patches.json"
    fields = atomic.read_json(records)
    fields["outputs"][f"patches/sentinel2/{path.parent.name}"] += len(content) - size
    fields["outputs"]["patches/sentinel2/manifest.parquet"] = manifest.stat().st_size
    atomic.write_json(records, fields)
    return path.parent


def a_scene_s_folder_gone(root):
    folder = a_scene(root)
    shutil.rmtree(folder)
    return folder


def a_manifest_cut_short(root):
    return cut_short(root.patches(SENTINEL1) / "manifest.parquet")


def a_manifest_gone(root):
    path = root.patches(SENTINEL1) / "manifest.parquet"
    path.unlink()
    return path


def sources_cut_short(root):
    return cut_short(root.patches(SENTINEL1) / "sources.parquet")


def a_quarantine_cut_short(root):
    return cut_short(root.patches(SENTINEL2) / "quarantine.parquet")


def settings_of_the_cutting_cut_short(root):
    return cut_short(root.patches(SENTINEL2) / "cutting.json")


def pairs_cut_short(root):
    return cut_short(root.pairs)


def pairs_of_patches_that_are_not_there(root):
    pairs = pd.read_parquet(root.pairs)
    pairs.loc[3, "patch_b"] = "nothing"
    pairs.to_parquet(root.pairs, index=False)
    return root.pairs


def descriptors_cut_short(root):
    return cut_short(descriptors(root))


def descriptors_gone(root):
    path = descriptors(root)
    path.unlink()
    return path


def _write_descriptors(root, model=None, ids=lambda ids: ids, change=lambda v: v):
    path = descriptors(root)
    of = current_index(root, "crjepa").model
    found = read_scene_descriptors(path, of)
    vectors = {kind: change(v) for kind, v in found.vectors.items()}
    write_scene_descriptors(path, model or of, SENTINEL1, ids(found.patch_ids.tolist()), vectors)
    return path


def descriptors_of_another_model(root):
    return _write_descriptors(root, model=OTHER)


def descriptors_of_other_patches(root):
    return _write_descriptors(root, ids=lambda ids: ids[::-1])


def descriptors_that_are_not_finite(root):
    path = descriptors(root)
    table = pq.read_table(path)
    at = table.schema.get_field_index("same")
    column = table["same"].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False).copy()
    values[3] = np.nan
    changed = type(column).from_arrays(values, column.type.list_size)
    pq.write_table(table.set_column(at, table.schema.field("same"), changed), path)
    return path


def an_index_with_another_bit(root):
    folder = current_index(root, "crjepa").folder
    flip(next(folder.glob("segments/*/same.vectors")))
    return folder


def an_index_with_a_file_gone(root):
    folder = current_index(root, "crjepa").folder
    next(folder.glob("segments/*/rows.arrow")).unlink()
    return folder


def an_index_that_is_no_json(root):
    folder = current_index(root, "crjepa").folder
    cut_short(folder / "index.json")
    return folder


def an_index_that_lacks_a_scene(root):
    index = current_index(root, "crjepa")
    with writing(index.folder) as writer:
        writer.apply("crjepa", index.model, {"sentinel1": Change((), sorted(writer.scenes("sentinel1"))[:1])})
    return index.folder


def what_says_which_index_is_current_cut_short(root):
    return cut_short(root.root / "indexes" / "crjepa" / "current.json")


def a_current_index_that_is_gone(root):
    folder = current_index(root, "crjepa").folder
    shutil.rmtree(folder)
    return folder


def a_record_of_descriptors_cut_short(root):
    return cut_short(root.stage_records / "crjepa_descriptors.json")


def a_record_that_lacks_a_field(root):
    path = root.stage_records / "crjepa_index.json"
    path.write_text(json.dumps({"stage": "crjepa_index"}))
    return path


def what_an_asset_shows_cut_short(root):
    return cut_short(root.stage_records / "shown" / "patch_pairs.json")


def weights_with_another_bit(root):
    return flip(root.model("crjepa", "0" * 64) / "weights.safetensors").parent


def a_model_without_weights(root):
    folder = root.model("crjepa", "0" * 64)
    (folder / "weights.safetensors").unlink()
    return folder


def a_model_gone(root):
    folder = root.model("crjepa", "0" * 64)
    shutil.rmtree(folder)
    return folder


def a_record_of_pairs_cut_short(root):
    return cut_short(root.stage_records / "patch_pairs.json")


def a_report_cut_short(root):
    path = root.benchmark("crjepa") / "report.json"
    atomic.write_json(path, {"schema": "jepa-benchmark/1"})
    return path


def a_reference_cut_short(root):
    path = root.benchmark_reference("crjepa")
    path.parent.mkdir()
    path.write_text("{")
    return path


MENDED = [
    pixels_with_another_bit,
    a_table_of_patches_cut_short,
    a_table_of_patches_with_another_value_of_the_same_size,
    a_scene_s_folder_gone,
    a_manifest_cut_short,
    a_manifest_gone,
    sources_cut_short,
    a_quarantine_cut_short,
    settings_of_the_cutting_cut_short,
    pairs_cut_short,
    pairs_of_patches_that_are_not_there,
    descriptors_cut_short,
    descriptors_gone,
    descriptors_of_another_model,
    descriptors_of_other_patches,
    descriptors_that_are_not_finite,
    an_index_with_another_bit,
    an_index_with_a_file_gone,
    an_index_that_is_no_json,
    an_index_that_lacks_a_scene,
    what_says_which_index_is_current_cut_short,
    a_current_index_that_is_gone,
    a_record_of_descriptors_cut_short,
    a_record_that_lacks_a_field,
    what_an_asset_shows_cut_short,
]
"""By `--mend` and a run of the chain."""

TOGETHER = {
    "bits and ends": [
        pixels_with_another_bit,
        a_table_of_patches_cut_short,
        pairs_cut_short,
        descriptors_cut_short,
        an_index_with_another_bit,
        a_record_of_descriptors_cut_short,
        what_an_asset_shows_cut_short,
    ],
    "a manifest": [
        a_manifest_cut_short,
        a_quarantine_cut_short,
        a_table_of_patches_with_another_value_of_the_same_size,
        descriptors_gone,
        an_index_with_a_file_gone,
    ],
    "nothing where something was": [
        a_manifest_gone,
        settings_of_the_cutting_cut_short,
        an_index_that_is_no_json,
        a_record_that_lacks_a_field,
    ],
    "what says so": [
        a_scene_s_folder_gone,
        sources_cut_short,
        descriptors_of_another_model,
        an_index_that_lacks_a_scene,
        what_says_which_index_is_current_cut_short,
    ],
    "what does not fit": [
        pairs_of_patches_that_are_not_there,
        descriptors_that_are_not_finite,
        a_current_index_that_is_gone,
    ],
}
"""Of these, some that do not hide each other."""

LEFT = [
    weights_with_another_bit,
    a_model_without_weights,
    a_model_gone,
    a_record_of_pairs_cut_short,
    a_report_cut_short,
    a_reference_cut_short,
]
"""To a person: a model, a report, a reference, or settings that nothing else knows."""
