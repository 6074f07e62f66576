"""What the sources must not do with what comes from elsewhere: run it, expand it, or let it write where it likes."""

import ast
import io
import tarfile
import zipfile

import pytest

from jepa_core.archive import sample
from tests.conftest import REPO

FILES = {
    path.relative_to(REPO).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("jepa_core", "pipelines")
    for path in (REPO / package).rglob("*.py")
}

UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "skops"}
RUNNERS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}

ALLOWED = {
    # Its reader builds arrays and refuses every other name in the stream.
    ("jepa_core/archive/inert_pickle.py", "imports pickle"),
    # The name of the error that the inert reader raises.
    ("jepa_core/datasets/sen12ms_labels.py", "imports pickle"),
    # A TorchScript file that the user names as an encoder; the format holds operations, no Python.
    ("jepa_core/external/files.py", "calls torch.jit.load"),
    # An encoder in Python that the user names is code by intention.
    ("jepa_core/external/entry_point.py", "runs a file of Python"),
    # Becomes `mlflow ui`; nothing of a file is in its arguments.
    ("pipelines/mlflow_ui.py", "calls os.execv"),
}


def dotted(node):
    """`a.b.c` of a name with its attributes; empty for other expressions."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imported(node):
    """Modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []


def is_constant(call, argument, value):
    return any(
        keyword.arg == argument and isinstance(keyword.value, ast.Constant) and keyword.value.value == value
        for keyword in call.keywords
    )


def dangers(tree):
    """What of a source may run what it reads."""
    for node in ast.walk(tree):
        yield from (f"imports {name}" for name in imported(node) if name.split(".")[0] in UNPICKLERS)
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rsplit(".", 1)[-1]
        names = {keyword.arg for keyword in node.keywords}
        if name in RUNNERS or name.startswith(("os.exec", "os.spawn")) or name.endswith("jit.load"):
            yield f"calls {name}"
        if last == "exec_module":
            yield "runs a file of Python"
        if last == "read_pickle" or (name == "torch.load" and not is_constant(node, "weights_only", True)):
            yield f"calls {name}"
        if "allow_pickle" in names and not is_constant(node, "allow_pickle", False):
            yield f"calls {name} with allow_pickle"
        if "shell" in names and not is_constant(node, "shell", False):
            yield f"calls {name} with a shell"


def test_nothing_is_unpickled_or_run_but_where_it_is_meant():
    assert {(path, danger) for path, tree in FILES.items() for danger in dangers(tree)} == ALLOWED


@pytest.mark.parametrize(
    ("source", "danger"),
    [
        ("import pickle", "imports pickle"),
        ("from joblib import load", "imports joblib"),
        ("torch.load(path)", "calls torch.load"),
        ("torch.load(path, weights_only=False)", "calls torch.load"),
        ("np.load(path, allow_pickle=True)", "calls np.load with allow_pickle"),
        ("pd.read_pickle(path)", "calls pd.read_pickle"),
        ("yaml.load(text)", "calls yaml.load"),
        ("eval(text)", "calls eval"),
        ("subprocess.run(text, shell=True)", "calls subprocess.run with a shell"),
    ],
)
def test_the_search_finds_what_it_looks_for(source, danger):
    assert list(dangers(ast.parse(source))) == [danger]


@pytest.mark.parametrize(
    "source",
    ["torch.load(path, weights_only=True)", "np.load(path)", "module.eval()", "subprocess.run(['ls'])"],
)
def test_the_search_passes_what_is_harmless(source):
    assert not list(dangers(ast.parse(source)))


def test_xml_is_parsed_by_defusedxml_alone():
    harmless = {"Element", "ParseError", "escape"}
    parsers = set()
    for path, tree in FILES.items():
        for node in ast.walk(tree):
            if any(name.split(".")[0] in ("xml", "lxml") for name in imported(node)):
                names = {name.name for name in node.names}
                parsers |= set() if isinstance(node, ast.ImportFrom) and names <= harmless else {path}
    # Writes files for tests and trials, and reads none.
    assert parsers == {"jepa_core/testing/xml.py"}
    calls = {dotted(node.func) for node in ast.walk(FILES["jepa_core/testing/xml.py"]) if isinstance(node, ast.Call)}
    assert not {name for name in calls if name.rsplit(".", 1)[-1] in ("parse", "iterparse", "fromstring", "XML")}


def test_archives_are_unpacked_in_one_place_only_where_their_paths_are_held_in():
    unpackers = {"extract", "extractall", "unpack_archive"}
    found = [
        (path, dotted(node.func), is_constant(node, "filter", "data"))
        for path, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and dotted(node.func).rsplit(".", 1)[-1] in unpackers
        # A function of our own, which cuts patches.
        and dotted(node.func) != "extract"
    ]
    place = "jepa_core/archive/sample.py"
    # Python's own zip reader takes what leads out off the names, and writes a link as a file.
    assert sorted(found) == [(place, "tar.extractall", True), (place, "wheel.extractall", False)]


def write_wheel(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tar_with(name, link=None):
    """A packed tar file of one entry, a file or a link."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as tar:
        info = tarfile.TarInfo(name)
        if link is not None:
            info.type, info.linkname = tarfile.SYMTYPE, link
        tar.addfile(info, io.BytesIO())
    return packed.getvalue()


@pytest.mark.parametrize("entry", [tar_with("../out"), tar_with("folder/../../out"), tar_with("link", "../../out")])
def test_a_tar_file_that_leads_out_is_refused(entry, tmp_path):
    wheel = write_wheel(tmp_path / "w.whl", {"bigearthnet_common/BigEarthNet-S1-Example.tar.bz2": entry})
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(tarfile.FilterError):
        sample._copy_geotiff_pairs(wheel, tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("out"))


def test_a_zip_file_that_leads_out_writes_nothing_outside(tmp_path):
    wheel = write_wheel(tmp_path / "w.whl", {"configilm/extra/mock_data/BENv1/../../../../../../../out": "x"})
    (tmp_path / "a" / "b").mkdir(parents=True)
    # What is unpacked is no LMDB file: the reader ends there, and takes the scratch folder along.
    with pytest.raises(KeyError):
        next(sample._lmdb_pairs(wheel, wheel, tmp_path / "a" / "b"))
    assert not list(tmp_path.rglob("out"))
