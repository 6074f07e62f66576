import json

import pytest

from jepa_core.errors import UnknownNameError
from jepa_core.external.settings import EncoderError, EncoderSettings, read_settings
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.variants.registry import ConfigError

PAIR = (SENTINEL1, SENTINEL2)


def read(tmp_path, fields):
    path = tmp_path / "encoder.json"
    path.write_text(fields if isinstance(fields, str) else json.dumps(fields))
    return read_settings(path, PAIR)


def test_toml_and_json_say_the_same(tmp_path):
    path = tmp_path / "encoder.toml"
    path.write_text('[sensors.s2]\nspec = "timm:resnet18"\nbands = ["B04", "B02"]\nside = 96\n')
    fields = {"sensors": {"sentinel2": {"spec": "timm:resnet18", "bands": ["B04", "B02"], "side": 96}}}
    expected = {"sentinel2": EncoderSettings("timm:resnet18", ("B04", "B02"), 96)}
    assert read_settings(path, PAIR) == read(tmp_path, fields) == expected
    assert expected["sentinel2"].seen(SENTINEL2).band_names == ("B04", "B02")


def test_a_models_own_statistics_are_in_the_unit_of_the_pixels():
    settings = EncoderSettings(bands=("B04", "B02"), scale=0.0001, mean=(0.2, 0.1), std=(0.05, 0.02))
    got = settings.own_statistics(SENTINEL2)
    assert list(got) == ["B04", "B02"]
    # A reflectance of 0.2 is a DN of 2,000.
    assert got["B04"].mean == pytest.approx(2000)
    assert got["B02"].std == pytest.approx(200)
    assert got["B02"].unit == "DN"
    assert EncoderSettings().own_statistics(SENTINEL2) is None


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("{", EncoderError, "encoder.json cannot be read as json"),
        ("[1]", EncoderError, "no table"),
        ({}, EncoderError, r"needs a table \[sensors.NAME\]"),
        ({"sensors": {}, "sides": 3}, EncoderError, "holds sides beside"),
        ({"sensors": {"palsar": {}}}, EncoderError, "settings for palsar; the set's sensors are sentinel1, sentinel2"),
        ({"sensors": {"s2": {}, "sentinel2": {}}}, EncoderError, "one table of settings"),
        ({"sensors": {"s2": {"size": 3}}}, UnknownNameError, "sensor s2 has no field 'size'; it has spec, bands"),
        ({"sensors": {"s2": {"side": 0}}}, ConfigError, "side cannot be 0"),
        ({"sensors": {"s2": {"bands": ["B10"]}}}, UnknownNameError, "sentinel2 has no band 'B10'"),
        ({"sensors": {"s2": {"bands": ["B02", "B02"]}}}, EncoderError, "none twice"),
        ({"sensors": {"s2": {"bands": []}}}, EncoderError, "one or more names"),
        ({"sensors": {"s1": {"mean": [1, 2]}}}, EncoderError, "mean and std go together"),
        ({"sensors": {"s1": {"scale": 0.1}}}, EncoderError, "scale goes with mean and std"),
        ({"sensors": {"s1": {"mean": [1], "std": [1, 1]}}}, EncoderError, r"mean has 1 values for 2 bands \(VV, VH\)"),
        ({"sensors": {"s1": {"mean": [1, 1], "std": [1, 0]}}}, EncoderError, "std has to be more than 0"),
        ('{"sensors": {"s1": {"mean": [1, NaN], "std": [1, 1]}}}', EncoderError, "mean has to be finite"),
    ],
)
def test_settings_that_cannot_be_are_plain_errors(tmp_path, fields, error, message):
    with pytest.raises(error, match=message):
        read(tmp_path, fields)


def test_a_file_that_is_not_there_is_a_plain_error(tmp_path):
    with pytest.raises(EncoderError, match=r"nowhere.toml cannot be read as toml"):
        read_settings(tmp_path / "nowhere.toml", PAIR)
