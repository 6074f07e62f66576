import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.remote.bucket import Bucket
from jepa_core.remote.errors import RemoteError
from jepa_core.remote.layout import Scope


def refused(address):
    with pytest.raises(RemoteError) as error:
        Bucket(address).list(Scope())
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{address}: ")
    return str(error.value)


def test_a_bucket_that_is_not_there(address):
    assert "there is no such bucket" in refused("s3://no-such-bucket/root")


def test_a_server_that_is_down(address, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "does not answer" in refused(address)
    assert "AWS_ENDPOINT_URL" in refused(address)


def test_no_key(address, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "no key was found" in refused(address)


def test_a_wrong_key(address, server):
    import urllib.request

    def ask_for_keys(actions):
        request = urllib.request.Request(
            f"{server.url}/moto-api/reset-auth", data=actions, headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()

    ask_for_keys(b"0")
    try:
        assert "the server refuses the key" in refused(address)
    finally:
        ask_for_keys(b"inf")


def test_a_kind_of_storage_that_nobody_knows():
    with pytest.raises(RemoteError, match="no such kind of storage as nothing"):
        Bucket("nothing://bucket/root")


def test_the_extra_that_is_missing_is_named(address):
    code = "import sys; sys.modules['s3fs'] = None\nfrom jepa_core.remote.bucket import Bucket; Bucket(sys.argv[1])"
    run = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=False, timeout=60)
    assert run.stderr.splitlines()[-1].endswith(
        f"RemoteError: {address}: needs the package s3fs. Run: pip install 'jepa-search[s3]'"
    )


def test_a_command_says_it_in_one_line(address, monkeypatch):
    monkeypatch.setenv("JEPA_DATA", "s3://no-such-bucket/root")
    result = CliRunner().invoke(app, ["search", "--patch", "x", "--to", "s2"])
    assert result.exit_code == 1
    assert result.stderr.startswith("jepa search: s3://no-such-bucket/root: there is no such bucket")
    assert len(result.stderr.splitlines()) == 1


def test_nothing_there_yet_is_said_as_of_a_folder(address, monkeypatch):
    monkeypatch.setenv("JEPA_DATA", address)
    result = CliRunner().invoke(app, ["search", "--patch", "x", "--to", "s2"])
    assert result.exit_code == 1
    assert "no crjepa index" in result.stderr
