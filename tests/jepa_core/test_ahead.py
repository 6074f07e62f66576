import threading

import pytest
import torch

from jepa_core.ahead import ahead

CPU = torch.device("cpu")


def test_batches_come_in_order_and_all_of_them():
    made = ahead(lambda step: {"x": torch.tensor(step)}, range(3, 9), CPU)
    assert [int(batch["x"]) for batch in made] == list(range(3, 9))
    assert list(ahead(lambda step: {}, range(0), CPU)) == []


def test_the_next_batch_is_made_while_the_first_is_used():
    begun = threading.Event()

    def make(step):
        if step == 1:
            begun.set()
        return {"x": torch.tensor(step)}

    batches = ahead(make, range(3), CPU)
    next(batches)
    assert begun.wait(10)


def test_an_error_in_making_a_batch_reaches_the_loop():
    def make(step):
        if step == 1:
            raise OSError("disk gone")
        return {"x": torch.tensor(step)}

    batches = ahead(make, range(3), CPU)
    next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
