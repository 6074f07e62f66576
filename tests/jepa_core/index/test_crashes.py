"""A writer that is stopped at any moment leaves the old state or the new one, and a rerun completes it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest

from jepa_core.index import Change, open_index, rebuild, sensor_index, writing
from jepa_core.index.sync import CurrentIndex, current_index, make_current
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
from tests.jepa_core.index.scenes import plain_search, scene

MODELS = ("a" * 64, "b" * 64)


def small_sizes(patch=setattr):
    """Lists, their being made anew, and segments that are put together, with hundreds of vectors."""
    patch(sensor_index, "EXACT_BELOW", 300)
    patch(rebuild, "_SMALLEST", 16)


class Plan:
    """A sequence of steps, each a function of its number: what it does, and what holds afterwards."""

    def __init__(self):
        self.contents = {model: {} for model in MODELS}
        self.current = None

    def step(self, number):
        """What step `number` does to the contents, and gives: a switch to a model, or a change of one's index."""
        rng = random.Random(number)
        model = MODELS[rng.random() < 0.3]
        content = self.contents[model]
        if number % 5 == 4 and content:
            self.current = model
            return model, None, None
        names = rng.sample(range(12), 3)
        added = {str(n): (str(n), rng.randint(20, 120), 10 * number + n) for n in names[:2]}
        gone = [str(names[2])] if str(names[2]) in content else []
        for name in gone:
            del content[name]
        content |= added
        return model, added, gone

    def state(self):
        return json.dumps([self.contents, self.current], sort_keys=True)


@cache
def made(name, count, seed):
    return scene(name, count, seed, dimension=32, first=1000 * int(name), mark=str(seed))


def do(store, step):
    """Does a step for real."""
    model, added, gone = step
    folder = store.index("crjepa", model)
    if added is None:
        make_current(store, "crjepa", CurrentIndex(folder, model, store.root / "model"))
        return
    with writing(folder) as writer:
        writer.apply("crjepa", model, {"sentinel2": Change([made(*s) for s in added.values()], gone)})


def found(store):
    """What lies in the data root, in the form of `Plan.state`; indexes are opened and searched."""
    contents = {model: {} for model in MODELS}
    for model in MODELS:
        if not (store.index("crjepa", model) / "index.json").exists():
            continue
        index = open_index(store.index("crjepa", model))
        with writing(store.index("crjepa", model)) as writer:
            marks = writer.scenes("sentinel2")
        counts = {}
        for segment in index.sensors["sentinel2"].segments:
            numbers = segment.numbers_of(list(marks))
            counts |= {segment.scenes["scene_id"][n]: segment.rows_of_scenes([n]) for n in numbers}
        contents[model] = {name: [name, counts[name], int(mark)] for name, mark in marks.items()}
        scenes = [made(*s) for s in contents[model].values()]
        if scenes:
            query = scene("q", 1, 1, dimension=32).vectors["same"]
            ids, cosines = plain_search(scenes, query, "same", 10_000)
            hits = index.search(query, model, "same", SENTINEL2, 10_000)
            # Everything once, with its own cosine; two that are equal may change places.
            found_cosines = dict(zip(hits.patch_ids[0], hits.scores[0], strict=True))
            assert sorted(found_cosines) == sorted(ids[0])
            np.testing.assert_allclose([found_cosines[name] for name in ids[0]], cosines[0], atol=1e-5)
    switched = (store.root / "indexes" / "crjepa" / "current.json").exists()
    current = current_index(store, "crjepa").model if switched else None
    return json.dumps([contents, current], sort_keys=True)


CHILD = """
import sys
from pathlib import Path
from jepa_core.store import Store
from tests.jepa_core.index.test_crashes import Plan, do, small_sizes
root, first = Path(sys.argv[1]), int(sys.argv[2])
small_sizes()
plan = Plan()
for number in range(10_000):
    step = plan.step(number)
    if number < first:
        continue
    print(number, flush=True)
    do(Store.at(root), step)
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_fifty_random_moments(tmp_path, monkeypatch):
    small_sizes(monkeypatch.setattr)
    store = Store.at(tmp_path)
    rng = random.Random(0)
    plan, next_step, old, new = Plan(), 0, 0, 0
    for _ in range(50):
        run = subprocess.Popen(
            [sys.executable, "-c", CHILD, tmp_path, str(next_step)], stdout=subprocess.PIPE, text=True
        )
        begun = int(run.stdout.readline())
        time.sleep(rng.uniform(0, 1.5))
        os.kill(run.pid, signal.SIGKILL)
        begun = max([begun, *(int(line) for line in run.stdout.read().split())])
        run.wait()
        while next_step < begun:
            plan.step(next_step)
            next_step += 1
        before = plan.state()
        after = Plan()
        for number in range(begun + 1):
            after.step(number)
        now = found(store)
        assert now in (before, after.state())
        old, new = old + (now == before), new + (now != before)
        # The rerun: the step that was under way, once more.
        do(store, plan.step(begun))
        next_step = begun + 1
        assert found(store) == plan.state()
    print(f"50 kills in {next_step} steps: {old} times the old state, {new} times the new one")
    assert next_step > 50


def test_stopped_at_each_rename_it_is_as_it_was_and_a_rerun_completes_it(tmp_path, monkeypatch):
    class StopError(BaseException):
        pass

    store, renamed = Store.at(tmp_path), os.replace
    plan = Plan()
    do(store, plan.step(0))
    before = plan.state()
    step = plan.step(1)
    stops = 0
    while True:
        left = stops

        def replace(source, target, **options):
            nonlocal left
            if left == 0:
                raise StopError
            left -= 1
            return renamed(source, target, **options)

        monkeypatch.setattr(os, "replace", replace)
        try:
            do(store, step)
            break
        except StopError:
            monkeypatch.setattr(os, "replace", renamed)
            assert found(store) == before
            stops += 1
    monkeypatch.setattr(os, "replace", renamed)
    assert stops >= 4
    assert found(store) == plan.state()
