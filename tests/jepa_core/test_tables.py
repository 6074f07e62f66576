import pandas as pd
import pytest

from jepa_core.tables import PAIRS, InvalidTableError, read_table, read_tables, write_table


def pairs(**changes):
    columns = {
        "patch_a": ["a", "b"],
        "patch_b": ["c", "d"],
        "cell_id": ["1", "2"],
        "days_apart": [0.5, -1.0],
        "split": ["train", "test"],
    }
    return pd.DataFrame(columns | changes)


def test_a_table_goes_round(tmp_path):
    write_table(pairs(), PAIRS, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet", PAIRS), pairs())


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"split": ["train", "holdout"]}, "split"),
        ({"patch_a": ["a", "a"]}, "patch_a"),
        ({"days_apart": ["x", "y"]}, "days_apart"),
        ({"cell_id": ["", "2"]}, "cell_id"),
    ],
)
def test_what_breaks_the_schema_is_refused_and_named_when_written(tmp_path, change, column):
    with pytest.raises(InvalidTableError, match=column):
        write_table(pairs(**change), PAIRS, tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_what_breaks_the_schema_is_refused_when_read(tmp_path):
    pairs(split=["train", "holdout"]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InvalidTableError, match="holdout"):
        read_table(tmp_path / "t.parquet", PAIRS)


def test_a_missing_and_a_truncated_file_are_named(tmp_path):
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    write_table(pairs(), PAIRS, good)
    with pytest.raises(InvalidTableError, match=r"bad\.parquet"):
        read_tables([good, bad], PAIRS, "both")
    bad.write_bytes(good.read_bytes()[:-20])
    with pytest.raises(InvalidTableError, match=r"bad\.parquet is not readable"):
        read_tables([good, bad], PAIRS, "both")


def test_a_broken_footer_and_a_missing_column_are_named(tmp_path):
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    write_table(pairs(), PAIRS, good)
    written = good.read_bytes()
    # The last eight bytes are the footer's length and the magic, which stay.
    bad.write_bytes(written[:-60] + bytes(byte ^ 0xFF for byte in written[-60:-8]) + written[-8:])
    with pytest.raises(InvalidTableError, match=r"bad\.parquet is not readable"):
        read_tables([good, bad], PAIRS, "both")
    pairs().drop(columns="cell_id").to_parquet(bad)
    with pytest.raises(InvalidTableError, match=r"bad\.parquet has no column cell_id"):
        read_tables([good, bad], PAIRS, "both", ["patch_a", "cell_id"])
    with pytest.raises(InvalidTableError, match="both do not go together"):
        read_tables([good, bad], PAIRS, "both")


def test_one_patch_in_two_files_is_refused(tmp_path):
    for name in ("a", "b"):
        write_table(pairs(), PAIRS, tmp_path / name)
    with pytest.raises(InvalidTableError, match="patch_a"):
        read_tables([tmp_path / "a", tmp_path / "b"], PAIRS, "both")
