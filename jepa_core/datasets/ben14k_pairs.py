"""The 14,832 pairs of BEN-14K, kept in `ben14k_pairs.csv.xz` (40 kB): Sentinel-2 patch, Sentinel-1 patch, split.

The papers publish no list. They count 14,832 pairs of BigEarthNet v1 over Serbia in summer; the selection below is the
one that gives this number: pairs of country Serbia whose *Sentinel-2* date lies in June to August 2017 are 14,834,
less 2 without a class of the 19. The season column of the public list goes by another date and gives 14,719. Splits
are the official ones of BigEarthNet-MM: 7,761 train, 3,508 val, 3,563 test.

Made by `derive(wheel).to_csv(TABLE, index=False)` from the wheel of `bigearthnet-common` 2.8.0.
"""

import bz2
import io
import zipfile
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("ben14k_pairs.csv.xz")

COLUMNS = ["s2_name", "s1_name", "split"]

_COUNTRY = "Serbia"
_FIRST_DAY, _LAST_DAY = "20170601", "20170831"


def read_pairs() -> pd.DataFrame:
    """The pairs: `s2_name`, `s1_name`, `split`, sorted by the first."""
    return pd.read_csv(TABLE, dtype=str)


def derive(wheel: Path) -> pd.DataFrame:
    """The same table, from the public lists of all 590,326 pairs.

    Args:
        wheel: file of `bigearthnet-common` 2.8.0.
    """
    with zipfile.ZipFile(wheel) as archive:

        def lines(name: str) -> list[str]:
            return bz2.decompress(archive.read(f"bigearthnet_common/{name}.csv.bz2")).decode().splitlines()

        header, *listed = lines("s1_s2_name_country_season")
        # Sorted out before they are parsed: one pair in eight is of the country.
        of_country = [header, *(line for line in listed if _COUNTRY in line)]
        splits = {name: split for split in ("train", "val", "test") for name in lines(split)}
        unlabelled = lines("patches_with_no_19_class_targets")
    pairs = pd.read_csv(io.StringIO("\n".join(of_country)), dtype=str)
    # `S2A_MSIL2A_20170717T113321_28_87`: the third part begins with the day.
    day = pairs["s2_name"].str.split("_").str[2].str[:8]
    chosen = (pairs["country"] == _COUNTRY) & day.between(_FIRST_DAY, _LAST_DAY) & ~pairs["s2_name"].isin(unlabelled)
    table = pairs[chosen].sort_values("s2_name").reset_index(drop=True)
    return table.assign(split=table["s2_name"].map(splits))[COLUMNS]
