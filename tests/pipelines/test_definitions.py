import subprocess
import sys

import dagster as dg

from jepa_core import versions
from pipelines.chain import chain_to_index
from pipelines.definitions import VARIANTS, defs

GRAPH = {
    "sentinel1_patches": ("ingest", set()),
    "sentinel2_patches": ("ingest", set()),
    "patch_pairs": ("ingest", {"sentinel1_patches", "sentinel2_patches"}),
    "benchmark_comparison": (
        "benchmarks",
        {
            "ijepa_benchmark",
            "mae_benchmark",
            "rejepa_benchmark",
            "xjepa_benchmark",
            "crjepa_benchmark",
            "lejepa_benchmark",
        },
    ),
}
for name in ("ijepa", "mae", "rejepa", "xjepa", "crjepa", "lejepa"):
    GRAPH |= {
        f"{name}_model": ("pretraining", {"patch_pairs"}),
        f"{name}_descriptors": ("descriptors", {"sentinel1_patches", "sentinel2_patches", f"{name}_model"}),
        f"{name}_index": ("index", {f"{name}_descriptors"}),
        f"{name}_benchmark": ("benchmarks", {"patch_pairs", f"{name}_model", f"{name}_descriptors"}),
    }


def test_the_asset_graph():
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): (
            graph.get(key).group_name,
            {parent.to_user_string() for parent in graph.get(key).parent_keys},
        )
        for key in graph.get_all_asset_keys()
    }
    assert found == GRAPH


def test_every_method_of_the_library_is_in_the_graph_and_the_names_that_a_search_takes_are_theirs():
    from jepa_core.variants.registry import METHODS

    assert set(VARIANTS) == set(METHODS) == set(versions.MODEL)


def test_every_asset_has_a_blocking_check_and_a_description():
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        checks = graph.get_check_keys_for_assets({key})
        assert checks, key
        assert any(graph.get_check_spec(check).blocking for check in checks)
        assert graph.get(key).description
        assert not graph.get(key).is_partitioned


def test_the_chain_that_bootstrapping_walks_is_what_lies_upstream_of_the_index():
    graph = defs.resolve_asset_graph()
    for variant in VARIANTS:
        upstream = dg.AssetSelection.assets(f"{variant}_index").upstream(include_self=False).resolve(graph)
        names = [stage.name for stage in chain_to_index(variant)]
        assert set(names) == {key.to_user_string() for key in upstream}
        for position, stage in enumerate(chain_to_index(variant)):
            assert set(stage.upstream) <= set(names[:position])


def test_loading_the_code_location_imports_nothing_heavy_and_the_library_no_orchestrator():
    code = (
        "import sys, pipelines.definitions\n"
        "print([m for m in ('torch', 'mlflow', 'faiss', 'matplotlib', 'sklearn', 'timm') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    code = (
        "import pkgutil, importlib, sys, jepa_core\n"
        "for m in pkgutil.walk_packages(jepa_core.__path__, 'jepa_core.'): importlib.import_module(m.name)\n"
        "print([m for m in ('dagster', 'mlflow') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
