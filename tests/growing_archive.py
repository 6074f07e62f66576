"""An archive of small simulated scenes that grows quickly: pixels are simulated once, and linked for further dates."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jepa_core.testing.stac_sentinel1 import write_sentinel1_rtc
from jepa_core.testing.stac_sentinel2 import write_sentinel2_stac
from jepa_core.testing.world import World

FIRST = datetime(2021, 1, 1, 10, tzinfo=UTC)


def write_dates(
    root: Path, start: int, stop: int, size_m: float = 2_400.0, sensors: tuple[str, ...] = ("s1", "s2")
) -> None:
    """Adds one scene of each sensor a date, all of one place; what is there already stays.

    Args:
        root: of the archive.
        start: number of the first date.
        stop: number behind the last.
        size_m: side of a scene.
        sensors: of which scenes are added.
    """
    models = root.parent / f"{root.name}-models"
    if not models.exists():
        place = {"left": 399_600, "top": 5_400_000, "size_m": size_m}
        write_sentinel1_rtc(models / "s1", World(0), time=FIRST, **place)
        write_sentinel2_stac(models / "s2", World(0), time=FIRST, **place)
    for number in range(start, stop):
        for sensor in sensors:
            _write_date(models / sensor, root / sensor, number)


def _write_date(model: Path, root: Path, number: int) -> None:
    (item_path,) = model.rglob("*.json")
    original = json.loads(item_path.read_text())
    day = FIRST + timedelta(days=5 * number)
    # Dates stand in ids, names of products and times: another acquisition is one with another date in all of them.
    text = item_path.read_text()
    for form in ("%Y%m%d", "%Y-%m-%d"):
        text = text.replace(f"{FIRST:{form}}", f"{day:{form}}")
    item = json.loads(text)
    for name, asset in item["assets"].items():
        asset["href"] = original["assets"][name]["href"]
    folder = root / item["id"]
    if folder.exists():
        return
    # Beside its place, so that nobody sees half of it.
    coming = root.parent / f"coming-{item['id']}"
    shutil.copytree(item_path.parent, coming, copy_function=os.link)
    (coming / item_path.name).unlink()
    (coming / item_path.name).write_text(json.dumps(item))
    root.mkdir(parents=True, exist_ok=True)
    coming.rename(folder)
