import datetime
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepa_core.archive.inert_pickle import Record, read_records


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


class Plain:
    pass


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int64"])
def test_arrays_come_back_whole(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    # Protocol 4 is what the sample's records are written in.
    np.testing.assert_array_equal(read_records(pickle.dumps({"a": array}, 4), [])["a"], array)


def test_classes_of_the_records_become_holders_of_their_fields():
    plain = Plain()
    plain.name, plain.data = "VV", np.ones(3)
    record = read_records(pickle.dumps(plain), [__name__])
    assert type(record) is Record
    assert record.name == "VV"


@pytest.mark.parametrize("value", [Evil(), {"x": [Evil()]}, print, datetime.date(2020, 1, 1), Plain()])
def test_everything_else_is_refused_and_named(value):
    with pytest.raises(pickle.UnpicklingError, match="which is not allowed"):
        read_records(pickle.dumps(value), ["some.other.module"])


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__"])
def test_builtins_are_refused_whatever_protocol_names_them(name):
    for text in (
        f"cbuiltins\n{name}\n.".encode(),
        pickle.dumps(getattr(__import__("builtins"), name)),
    ):
        with pytest.raises(pickle.UnpicklingError, match=f"{name}, which is not allowed"):
            read_records(text, [])


def test_a_damaged_number_does_not_fill_the_memory():
    with pytest.raises(pickle.UnpicklingError, match=f"numbers its 7 bytes up to {0x4883D903}"):
        read_records(b")r\x03\xd9\x83H.", [])


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_raise_or_give_plain_data(data):
    try:
        value = read_records(data, [])
    except Exception:
        return
    assert not callable(value)
