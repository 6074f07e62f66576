"""What a whole scene costs in memory, in a process of its own."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jepa_core.testing.plain_worlds import ConstantWorld
from jepa_core.testing.sentinel2_safe import write_sentinel2_safe

CUT = """
import re, sys
from pathlib import Path
from jepa_core.archive.discover import Archive
from jepa_core.cutting import CutConfig
from jepa_core.extraction import extract
from jepa_core.sensors import SENTINEL2
from jepa_core.store import Store
summary = extract(Store.at(Path(sys.argv[2])), Archive(Path(sys.argv[1])).sources(SENTINEL2), SENTINEL2, CutConfig())
# Not getrusage: its peak is inherited from the process that started this one.
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(summary.patches, int(peak[1]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_whole_tile_of_twelve_bands_is_cut_in_less_than_two_gigabytes(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    write_sentinel2_safe(
        archive,
        ConstantWorld(),
        left=300_000,
        top=5_400_000,
        size_m=109_800,
        time=datetime(2023, 8, 15, 9, 50, 31, tzinfo=UTC),
        copies=False,
    )
    command = [sys.executable, "-c", CUT, str(archive), str(tmp_path / "data")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    patches, peak = (int(text) for text in done.stdout.split())
    # 91.5 cells each way, the half ones taken.
    assert patches == 92 * 92
    assert peak < 2e9
