"""What a stage that reads the archive finds there."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jepa_core.sensors import Sensor
from pipelines.resources import Workspace

if TYPE_CHECKING:
    from jepa_core.acquisitions import Acquisitions
    from jepa_core.cutting import CutConfig


def cut_settings(sensor: Sensor, config: Mapping[str, Any]) -> "tuple[Sensor, CutConfig]":
    """The sensor with the bands that are wanted, and how it is cut.

    Args:
        sensor: with all its bands.
        config: as `PatchSettings` has it.
    """
    from jepa_core.cutting import CutConfig
    from jepa_core.grid import Grid

    grid = Grid(config["patch_pixels"], config["stride_pixels"], config["resolution_m"])
    return (
        sensor.with_bands(config["bands"] or sensor.band_names),
        CutConfig(grid, config["min_valid_fraction"], config["max_cloud_fraction"]),
    )


def acquisitions(
    workspace: Workspace, sensor: Sensor, config: Mapping[str, Any], at_most: int | None = None
) -> "Acquisitions":
    """What lies in the archive, at this moment."""
    from jepa_core.acquisitions import look

    store = workspace.store()
    return look(store, workspace.open_archive(), *cut_settings(sensor, config), at_most=at_most)


def settled_acquisitions(
    workspace: Workspace, sensor: Sensor, config: Mapping[str, Any], at_most: int | None, say: Callable[[str], None]
) -> "Acquisitions":
    """What lies in the archive, behind a short wait where something changed a moment ago."""
    from jepa_core.acquisitions import look_when_settled

    archive = workspace.open_archive()
    return look_when_settled(
        workspace.store(), archive, *cut_settings(sensor, config), at_most=at_most, wait=time.sleep, say=say
    )
