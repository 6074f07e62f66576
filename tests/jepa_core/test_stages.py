from hypothesis import given
from hypothesis import strategies as st

from jepa_core.fingerprint import fingerprint
from jepa_core.stages import StageRecord, lost_output, read_record, stage_fingerprint, write_record
from jepa_core.store import Store

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.randoms())
def test_order_of_keys_does_not_change_a_fingerprint(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert fingerprint({key: value[key] for key in keys}) == fingerprint(value)


@given(JSON, JSON)
def test_different_values_have_different_fingerprints(a, b):
    # 1, 1.0 and True are equal to Python and not the same setting.
    assert (fingerprint(a) == fingerprint(b)) == (repr(a) == repr(b) or (a == b and str(a) == str(b)))


def test_each_part_of_a_stage_counts():
    base = stage_fingerprint("s", "1", {"a": 1}, {"x": "v"})
    others = [
        stage_fingerprint("t", "1", {"a": 1}, {"x": "v"}),
        stage_fingerprint("s", "2", {"a": 1}, {"x": "v"}),
        stage_fingerprint("s", "1", {"a": 2}, {"x": "v"}),
        stage_fingerprint("s", "1", {"a": 1}, {"x": "w"}),
    ]
    assert len({base, *others}) == 5


def test_a_record_tells_when_an_output_is_gone_or_cut_short(tmp_path):
    store = Store.at(tmp_path)
    output = tmp_path / "result"
    output.write_text("x")
    record = StageRecord("s", "f", "v", {}, {}, {"result": 1}, {"n": 1}, 1.5)
    write_record(store, record)
    assert read_record(store, "s") == record
    assert lost_output(store, record) is None
    output.write_text("longer")
    assert lost_output(store, record) == "result"
    output.unlink()
    assert lost_output(store, record) == "result"
    # What it was made with is still known.
    assert read_record(store, "s") == record
    assert read_record(store, "other") is None
