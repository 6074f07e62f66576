"""DSRSID: 80,000 pairs of panchromatic and multispectral images of Gaofen-1, eight classes of land cover.

Li, Zhang, Huang, Ma 2018: Learning Source-Invariant Deep Hashing Convolutional Neural Networks for Cross-Source Remote
Sensing Image Retrieval, IEEE TGRS 56(11). No licence could be found. One file, `DSRSID.mat` (HDF5):
`PAN_IMAGES` (pairs, 1, 256, 256) and `MUL_IMAGES` (pairs, 4, 64, 64) in 8 bit, `LAND_COVER_TYPES` (1, pairs) from 1 to
8. Images are read as the file holds them: MATLAB writes columns first, so that rows and columns may have changed
places, in both sensors alike.
"""

import threading
from pathlib import Path

import h5py
import numpy as np

from jepa_core.datasets.jpegs import byte_band
from jepa_core.datasets.labelled_set import DatasetError, LabelledSet, Reader
from jepa_core.datasets.splitting import stratified_splits
from jepa_core.fingerprint import fingerprint
from jepa_core.sensors import Sensor

_NAME = "dsrsid"

PAN = Sensor("pan", "pan", bands=(byte_band("PAN", 2.0),), nodata=None, dtype="uint8")

MS = Sensor(
    "ms",
    "ms",
    bands=tuple(byte_band(name, 8.0) for name in ("blue", "green", "red", "near infrared")),
    nodata=None,
    dtype="uint8",
)

CLASSES = ("aquafarm", "cloud", "forest", "high building", "low building", "farm land", "river", "water")
"""In the order of the file's numbers."""

PAIRS = 80_000
"""Pairs of the published file."""

SPLIT_SEED = 20181101
"""Decides which pair is in which part."""

_LABELS = "LAND_COVER_TYPES"
_IMAGES = {PAN.name: "PAN_IMAGES", MS.name: "MUL_IMAGES"}
_SIDES = {PAN.name: 256, MS.name: 64}

SOURCE = "DSRSID (Li et al. 2018, IEEE TGRS 56(11)), licence not found"

_NOTES = (
    f"the split is ours (70/10/20 in each class, seed {SPLIT_SEED}): which pairs papers train on is not published",
    "order of the multispectral bands (blue, green, red, near infrared) and names of the classes are those of users of "
    "the set: the file says neither",
)

# HDF5's library may be entered by one thread at a time.
_LOCK = threading.Lock()


def open_dsrsid(root: Path, pairs: int = PAIRS) -> LabelledSet:
    """The set in its file, of which only the labels are read now.

    Args:
        root: `DSRSID.mat`, or the folder that it lies in.
        pairs: how many it holds.

    Raises:
        DatasetError: the file is missing, damaged or holds something else.
    """
    path = root / "DSRSID.mat" if root.is_dir() else root
    if not path.is_file():
        raise DatasetError(f"{path} is missing: give DSRSID.mat or the folder that it lies in")
    numbers = _checked(path, pairs)
    splits = stratified_splits(numbers, SPLIT_SEED)
    return LabelledSet(
        name=_NAME,
        version=fingerprint([_NAME, path.stat().st_size, numbers.tolist(), splits.tolist()]),
        sensors=(PAN, MS),
        classes=CLASSES,
        multi_label=False,
        ids=np.array([f"{_NAME}_{row:05d}" for row in range(pairs)]),
        labels=numbers[:, None] == np.arange(len(CLASSES)),
        splits=splits,
        read=_reader(path),
        source=SOURCE,
        notes=_NOTES,
    )


def _checked(path: Path, pairs: int) -> np.ndarray:
    """Position of each pair's class in `CLASSES`, once the file holds what it should."""
    try:
        with _LOCK, h5py.File(path, "r") as file:
            for sensor in (PAN, MS):
                images = file[_IMAGES[sensor.name]]
                shape = (pairs, len(sensor.bands), _SIDES[sensor.name], _SIDES[sensor.name])
                if images.shape != shape or images.dtype != sensor.dtype:
                    raise DatasetError(
                        f"{_IMAGES[sensor.name]} of {path} is {images.dtype} of shape {images.shape}, "
                        f"that of the set is {sensor.dtype} of shape {shape}: get the file again"
                    )
            types = np.asarray(file[_LABELS]).ravel()
    except (OSError, KeyError, AttributeError) as error:
        raise DatasetError(f"{path} is not DSRSID.mat or is damaged ({error}): get the file again") from error
    if types.shape != (pairs,) or not np.isin(types, np.arange(1, len(CLASSES) + 1)).all():
        raise DatasetError(f"{_LABELS} of {path} are not {pairs} numbers from 1 to {len(CLASSES)}: get the file again")
    return types.astype(int) - 1


def _reader(path: Path) -> Reader:
    whole = {sensor.name: sensor for sensor in (PAN, MS)}

    def read(sensor: Sensor, rows: np.ndarray) -> np.ndarray:
        if sensor.name not in whole:
            raise DatasetError(f"{_NAME} has no sensor {sensor.name}; it has {', '.join(whole)}")
        bands = whole[sensor.name].positions(sensor.band_names)
        side = _SIDES[sensor.name]
        pixels = np.empty((len(rows), len(bands), side, side), dtype=sensor.dtype)
        try:
            # Opened anew: an open file must not be shared with forked processes.
            with _LOCK, h5py.File(path, "r") as file:
                images = file[_IMAGES[sensor.name]]
                # Neighbours lie in one block of the file, which is then unpacked once.
                for i in np.argsort(rows, kind="stable"):
                    pixels[i] = images[int(rows[i])][bands]
        except (OSError, KeyError) as error:
            raise DatasetError(f"{path} cannot be read ({error}): get the file again") from error
        return pixels

    return read
