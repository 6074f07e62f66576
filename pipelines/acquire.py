"""What a stage that reads the archive finds there."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jepa_core.sensors import Sensor
from pipelines.resources import Workspace

if TYPE_CHECKING:
    from jepa_core.acquisitions import Acquisitions


def acquisitions(
    workspace: Workspace, sensor: Sensor, config: Mapping[str, Any], at_most: int | None = None
) -> "Acquisitions":
    """What lies in the archive, at this moment."""
    from jepa_core.acquisitions import cut_settings, look

    store = workspace.store(f"{sensor.name}_patches")
    return look(store, workspace.open_archive(), *cut_settings(sensor, config), at_most=at_most)


def settled_acquisitions(
    workspace: Workspace, sensor: Sensor, config: Mapping[str, Any], at_most: int | None, say: Callable[[str], None]
) -> "Acquisitions":
    """What lies in the archive, behind a short wait where something changed a moment ago."""
    from jepa_core.acquisitions import cut_settings, look_when_settled

    store, archive = workspace.store(f"{sensor.name}_patches"), workspace.open_archive()
    settings = cut_settings(sensor, config)
    return look_when_settled(store, archive, *settings, at_most=at_most, wait=time.sleep, say=say)
