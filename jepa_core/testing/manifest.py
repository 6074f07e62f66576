"""`manifest.safe`: what lies in a product's folder, in the Standard Archive Format for Europe."""

from pathlib import Path

from jepa_core.testing.package import md5
from jepa_core.testing.xml import Element, node

_SPACES = {
    "xmlns__xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xmlns__gml": "http://www.opengis.net/gml",
    "xmlns__xfdu": "urn:ccsds:schema:xfdu:1",
}
_MIME = {".xml": "text/xml", ".html": "text/html"}


def metadata_object(name: str, content: Element, text: str, category: str = "DMD") -> Element:
    """A block of metadata in the manifest.

    Args:
        name: its ID, e.g. `acquisitionPeriod`.
        content: what it wraps.
        text: its description.
        category: `DMD` (describes) or `PDI` (says where it comes from).
    """
    wrap = node("metadataWrap", node("xmlData", content), mimeType="text/xml", vocabularyName="SAFE", textInfo=text)
    kind = "PROVENANCE" if category == "PDI" else "DESCRIPTION"
    return node("metadataObject", wrap, ID=name, classification=kind, category=category)


def data_objects(root: Path, ids: dict[str, str]) -> list[Element]:
    """Entries of files, with size and checksum.

    Args:
        root: the product's folder.
        ids: ID of each file, by its path inside the product.
    """
    entries = []
    for name, identity in ids.items():
        path = root / name
        location = node("fileLocation", locatorType="URL", href=f"./{name}")
        checksum = node("checksum", md5(path), checksumName="MD5")
        mime = _MIME.get(path.suffix, "application/octet-stream")
        stream = node("byteStream", location, checksum, mimeType=mime, size=str(path.stat().st_size))
        entries.append(node("dataObject", stream, ID=identity))
    return entries


def manifest(
    kind: str, spaces: dict[str, str], units: list[Element], metadata: list[Element], objects: list[Element]
) -> Element:
    """The root element.

    Args:
        kind: version of the format, e.g. `esa/safe/sentinel-1.0/sentinel-1/sar/level-1/grd/standard/iwdp`.
        spaces: more namespaces, as `xmlns__prefix`.
        units: what the package consists of.
        metadata: blocks of metadata.
        objects: entries of files.
    """
    package = node("xfdu:contentUnit", *units, unitType="SAFE Archive Information Package")
    return node(
        "xfdu:XFDU",
        node("informationPackageMap", package),
        node("metadataSection", *metadata),
        node("dataObjectSection", *objects),
        version=kind,
        **_SPACES,
        **spaces,
    )
