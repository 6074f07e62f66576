"""The tables and their schemas. Each is validated when it is written and when it is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as pq

from jepa_core import atomic
from jepa_core.errors import JepaError

UTC_TIME = pd.DatetimeTZDtype("us", "UTC")


class InvalidTableError(JepaError):
    """A table does not keep to its schema."""


def _is_list(values: pd.Series) -> pd.Series:
    return values.map(lambda v: isinstance(v, (list, tuple, np.ndarray)))


_ID = pa.Check.str_length(min_value=1)
_FRACTION = pa.Check.in_range(0.0, 1.0)

SCENES = pa.DataFrameSchema(
    {
        "scene_id": pa.Column(str, _ID, unique=True),
        "sensor": pa.Column(str),
        "place": pa.Column(str, _ID, description="in the archive"),
        "time": pa.Column(UTC_TIME),
        "acquisition": pa.Column(str, description="shared by all processings of one acquisition"),
        "processed": pa.Column(str, description="sorts later processings behind earlier ones"),
        "level": pa.Column(str),
        "baseline": pa.Column(str),
        "offset_dn": pa.Column("float64", description="added to stored values of Sentinel-2"),
        "orbit_pass": pa.Column(str, pa.Check.isin(["ascending", "descending", ""])),
        "relative_orbit": pa.Column("Int64", nullable=True),
        "holds": pa.Column(str, description="hash of pixels and table: equal where nothing but times changed"),
        "folder": pa.Column(str, description="under the sensor's patches folder"),
        "bytes": pa.Column("int64", pa.Check.ge(0), description="of all files in the folder"),
        "patches": pa.Column("int64", pa.Check.ge(1)),
        "seconds": pa.Column("float64", pa.Check.ge(0)),
    },
    strict=True,
    ordered=True,
)
"""Manifest of a sensor: what is not in it does not exist."""

SOURCES = pa.DataFrameSchema(
    {
        "place": pa.Column(str, _ID, unique=True),
        "fingerprint": pa.Column(str, description="of its files, the settings and the code version"),
        "state": pa.Column(str, pa.Check.isin(["cut", "replaced", "unwanted", "quarantined"])),
        "scene_id": pa.Column(str, description="empty where it could not be read"),
        "acquisition": pa.Column(str),
        "processed": pa.Column(str),
        "remote": pa.Column(bool, description="fails for reasons that may pass; tried again, see `retries`"),
        "attempts": pa.Column("int64", pa.Check.ge(0), default=0, description="failures in a row, for such reasons"),
        "next_attempt": pa.Column(UTC_TIME, nullable=True, description="there is nothing to do before"),
    },
    strict=True,
    ordered=True,
    # Tables from before attempts were counted.
    add_missing_columns=True,
)
"""What became of each place in the archive; `unwanted`: readable, and no cell keeps to the thresholds."""

REMEMBERED = pa.DataFrameSchema(
    {
        "name": pa.Column(str, _ID, unique=True, description="of the collection, a slash, of the item"),
        "sensor": pa.Column(str, description="empty: of none that is read, and not kept"),
        "stamp": pa.Column(str, description="hash of the item"),
        "file": pa.Column(str, description="that holds the item, beside this table; empty: not kept"),
        "start": pa.Column("int64", pa.Check.ge(0), description="of its bytes in the file"),
        "size": pa.Column("int64", pa.Check.ge(0), description="number of its bytes"),
    },
    strict=True,
    ordered=True,
)
"""Items that a STAC API found."""

QUARANTINE = pa.DataFrameSchema(
    {
        "place": pa.Column(str, _ID, description="of the scene, or of a patch that a set brings cut"),
        "source": pa.Column(str, _ID, description="place of the source that it belongs to"),
        "reason": pa.Column(str, _ID),
        "whole_scene": pa.Column(bool, description="false where the scene's other patches stand"),
    },
    strict=True,
    ordered=True,
)
"""What could not be read, and why."""

PATCHES = pa.DataFrameSchema(
    {
        "patch_id": pa.Column(str, _ID, unique=True),
        "scene_id": pa.Column(str, _ID),
        "sensor": pa.Column(str),
        "cell_id": pa.Column(str, _ID),
        "time": pa.Column(UTC_TIME),
        "crs": pa.Column(str, pa.Check.str_startswith("EPSG:")),
        "xmin": pa.Column("float64"),
        "ymin": pa.Column("float64"),
        "xmax": pa.Column("float64"),
        "ymax": pa.Column("float64"),
        "lon": pa.Column("float64", pa.Check.in_range(-180, 180), description="centre, degrees"),
        "lat": pa.Column("float64", pa.Check.in_range(-90, 90), description="centre, degrees"),
        "valid_fraction": pa.Column("float64", _FRACTION),
        "cloud_fraction": pa.Column("float64", _FRACTION, nullable=True),
        "labels": pa.Column(object, pa.Check(_is_list), description="empty where unlabelled"),
        "split": pa.Column(str, pa.Check.isin(["train", "val", "test"])),
        "partner": pa.Column(str, nullable=True, description="pair named by a ready-made set"),
        "row": pa.Column("int64", pa.Check.ge(0), description="along the zarr's patch axis"),
    },
    checks=[
        pa.Check(lambda t: t["xmin"] < t["xmax"], name="xmin < xmax"),
        pa.Check(lambda t: t["ymin"] < t["ymax"], name="ymin < ymax"),
    ],
    strict=True,
    ordered=True,
)
"""Patches of one scene or of many."""

PAIRS = pa.DataFrameSchema(
    {
        "patch_a": pa.Column(str, _ID, unique=True),
        "patch_b": pa.Column(str, _ID, unique=True),
        "cell_id": pa.Column(str, _ID),
        "days_apart": pa.Column("float64", description="time of b less time of a"),
        "split": pa.Column(str, pa.Check.isin(["train", "val", "test"])),
    },
    strict=True,
    ordered=True,
)
"""Pairs of patches of two sensors, `a` the first by name; every patch is in one pair at most."""


DESCRIBED = pa.DataFrameSchema({"patch_id": pa.Column(str, _ID, unique=True)}, strict=True)
"""Patches that descriptors are of; the vectors beside them are checked as arrays (`vectors.check_unit`)."""

SEGMENT_SCENES = pa.DataFrameSchema(
    {
        "scene_id": pa.Column(str, _ID, unique=True),
        "mark": pa.Column(str, description="of what the index holds of it: another mark, another content"),
        "start": pa.Column("int64", pa.Check.ge(0), description="its first row in the segment"),
        "stop": pa.Column("int64", pa.Check.ge(1), description="the row behind its last"),
    },
    strict=True,
    ordered=True,
)
"""Scenes of a segment of an index, in the order of their rows."""

HISTORY = pa.DataFrameSchema(
    {
        "step": pa.Column("float64", pa.Check.ge(1), unique=True),
        "loss": pa.Column("float64"),
        "learning_rate": pa.Column("float64", pa.Check.gt(0)),
        "gradient_norm": pa.Column("float64", pa.Check.ge(0)),
        "seconds": pa.Column("float64", pa.Check.ge(0)),
    },
)
"""Figures of each training step; further columns are the method's own terms and monitors."""


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, each as a dictionary by column name."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def validated(table: pd.DataFrame, schema: pa.DataFrameSchema, what: str) -> pd.DataFrame:
    """The table, if it keeps to the schema.

    Raises:
        InvalidTableError: it does not; the message lists the columns and the first bad values.
    """
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.head(5)[["column", "check", "failure_case"]]
        raise InvalidTableError(
            f"{what} breaks its schema in {len(error.failure_cases)} places, first:\n" + cases.to_string(index=False)
        ) from error


def write_table(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> None:
    """Validates, then writes parquet atomically."""
    checked = validated(table, schema, str(path))
    with atomic.new_file(path) as temporary:
        checked.to_parquet(temporary, index=False)


def table_of(rows: Sequence[dict[str, Any]], schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Rows as a table whose columns have the schema's types and order, also where there is no row."""
    table = pd.DataFrame(list(rows), columns=list(schema.columns))
    for name, column in schema.columns.items():
        if column.nullable and str(column.dtype) == str(UTC_TIME):
            # Where all are missing pandas takes them for times without a zone.
            table[name] = pd.to_datetime(table[name], utc=True)
        if column.dtype is not None and str(column.dtype) != "object":
            table[name] = table[name].astype(column.dtype.type)
    return table


def read_table(path: Path, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Reads parquet and validates.

    Raises:
        InvalidTableError: no such table, or it is not readable, or breaks its schema.
    """
    return read_tables([path], schema, str(path))


def read_tables(
    paths: Sequence[Path], schema: pa.DataFrameSchema, what: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Reads parquet files of one schema into one table and validates the whole.

    Args:
        paths: at least one.
        schema: of each and of the whole.
        what: names the whole in an error.
        columns: only these are read, and checked each by itself.

    Raises:
        InvalidTableError: one is not there or not readable, or the whole breaks the schema; the message names it.
    """
    parts = []
    for path in paths:
        if not path.exists():
            raise InvalidTableError(f"no table at {path}; materialize again what writes it")
        try:
            # Not by `pq.read_table`, which takes three times as long for a small file; there is one a scene.
            with pq.ParquetFile(path) as file:
                part = file.read(None if columns is None else list(columns), use_threads=len(paths) == 1)
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                # The machine's: a disk that does not answer, too many open files.
                raise
            raise InvalidTableError(
                f"{path} is not readable as parquet ({error}); delete it and materialize again what wrote it"
            ) from error
        # What is not there is left out without a word.
        if lacking := set(columns or ()) - set(part.column_names):
            raise InvalidTableError(
                f"{path} has no column {', '.join(sorted(lacking))}; delete it and materialize again what wrote it"
            )
        parts.append(part)
    try:
        table = pyarrow.concat_tables(parts).to_pandas()
    except pyarrow.ArrowException as error:
        raise InvalidTableError(f"{what} do not go together ({error}); materialize them again") from error
    if columns is not None:
        # Checks between columns need all of them; the order is the caller's.
        schema = pa.DataFrameSchema({name: schema.columns[name] for name in columns}, strict=True, ordered=True)
    return validated(table, schema, what)
