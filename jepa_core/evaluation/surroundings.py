"""Where and when figures were taken."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from jepa_core.evaluation.results import Surroundings

_PACKAGES = ("jepa-search", "torch", "timm", "numpy", "scikit-learn")


def surroundings(seconds: float) -> Surroundings:
    """Of a benchmark that ends now.

    Args:
        seconds: how long it took.
    """
    return Surroundings(
        date=datetime.now(tz=UTC).date().isoformat(),
        machine=_machine(),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        seconds=seconds,
    )


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {cores} cores, torch on {torch.get_num_threads()} threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _processor() -> str:
    # Linux says more there than `platform` does.
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
