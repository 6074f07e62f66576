"""A static catalogue: `catalog.json` with links to items that lie under its folder."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jepa_core.testing.stac_item import Json

_JSON = "application/json"


def write_catalog(root: Path, items: Sequence[Path], identity: str = "scenes") -> Path:
    """Writes `<root>/catalog.json` and gives each item its links to it.

    Args:
        root: the catalogue's folder.
        items: JSON files of items, anywhere under `root`.
        identity: id of the catalogue.
    """
    links: list[Json] = [{"rel": "root", "href": "./catalog.json", "type": _JSON}]
    for path in items:
        content = json.loads(path.read_text())
        below = PurePosixPath(path.relative_to(root))
        links.append({"rel": "item", "href": f"./{below}", "type": "application/geo+json", "title": content["id"]})
        up = "../" * (len(below.parts) - 1) + "catalog.json"
        kept = [link for link in content["links"] if link["rel"] not in ("root", "parent")]
        content["links"] = [*kept, *({"rel": rel, "href": up, "type": _JSON} for rel in ("root", "parent"))]
        path.write_text(json.dumps(content, indent=2) + "\n")
    catalog = {
        "type": "Catalog",
        "id": identity,
        "stac_version": "1.0.0",
        "description": "Simulated scenes",
        "links": links,
    }
    path = root / "catalog.json"
    path.write_text(json.dumps(catalog, indent=2) + "\n")
    return path
