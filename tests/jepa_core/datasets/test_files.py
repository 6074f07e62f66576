"""Files of a set in a folder or a zip file."""

import zipfile

import pytest

from jepa_core.datasets.files import open_files
from jepa_core.datasets.labelled_set import DatasetError


def test_only_files_of_the_endings_are_named_and_none_that_systems_leave_behind(tmp_path):
    for name in ("set/a/1.JPG", "set/a/2.txt", "set/b/2.jpg", "set/b/.3.jpg", "set/.cache/4.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    files = open_files(tmp_path / "set", (".jpg",))
    assert files.names == ("a/1.JPG", "b/2.jpg")
    assert files.read("a/1.JPG") == b"set/a/1.JPG"
    assert files.size("a/1.JPG") == 11
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("set/a/1.JPG", b"1")
        archive.writestr("__MACOSX/set/a/._1.jpg", b"2")
    assert open_files(tmp_path / "set.zip", (".jpg",)).names == ("set/a/1.JPG",)


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(b"1")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    assert open_files(tmp_path / "set", (".jpg",)).names == ("linked/1.jpg",)


def test_a_zip_file_is_read_wherever_its_members_begin(tmp_path):
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr("empty.jpg", b"")
        archive.writestr("ä.jpg", b"x" * 70000, compress_type=zipfile.ZIP_DEFLATED)
    (tmp_path / "set.zip").write_bytes(b"something before" + (tmp_path / "plain.zip").read_bytes())
    files = open_files(tmp_path / "set.zip", (".jpg",))
    assert files.read("empty.jpg") == b""
    assert files.read("ä.jpg") == b"x" * 70000


def test_a_packing_that_is_not_read_is_said_at_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("1.jpg", b"1")
    with pytest.raises(DatasetError, match=r"1\.jpg in .*set\.zip is packed in a way that is not read here: unpack it"):
        open_files(tmp_path / "set.zip", (".jpg",))
