from dataclasses import replace

import pytest

from jepa_core.archive.sample import COMMON
from jepa_core.archive.wheels import DownloadError, fetch


def test_without_a_network_the_error_says_which_file_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    folder = tmp_path / "downloads"
    with pytest.raises(DownloadError) as error:
        fetch(COMMON, folder)
    for part in (COMMON.requirement, COMMON.file_name, COMMON.sha256, str(folder)):
        assert part in str(error.value)
    assert list(folder.iterdir()) == []


def test_a_file_of_another_content_is_refused(tmp_path):
    (tmp_path / COMMON.file_name).write_bytes(b"not the wheel")
    with pytest.raises(DownloadError, match="is not the pinned file"):
        fetch(COMMON, tmp_path)


def test_a_file_put_there_by_hand_is_taken_without_asking_pip(wheels, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / COMMON.file_name).write_bytes((wheels / COMMON.file_name).read_bytes())
    assert fetch(COMMON, tmp_path) == tmp_path / COMMON.file_name


def test_what_pip_brings_is_checked_before_it_is_kept(wheels, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert fetch(COMMON, tmp_path / "good").name == COMMON.file_name
    with pytest.raises(DownloadError, match="which is not the pinned one"):
        fetch(replace(COMMON, sha256="0" * 64), tmp_path / "bad")
    assert not (tmp_path / "bad" / COMMON.file_name).exists()
