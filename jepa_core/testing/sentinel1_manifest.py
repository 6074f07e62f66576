"""`manifest.safe` of a Sentinel-1 product."""

from pathlib import Path

import numpy as np

from jepa_core.testing.geometry import Swath
from jepa_core.testing.land_cover import POLARISATIONS
from jepa_core.testing.manifest import data_objects, manifest, metadata_object
from jepa_core.testing.sentinel1_product import Sentinel1Product, iso
from jepa_core.testing.xml import Element, node

_SAFE = "http://www.esa.int/safe/sentinel-1.0"
_SPACES = {
    "xmlns__safe": _SAFE,
    "xmlns__s1": f"{_SAFE}/sentinel-1",
    "xmlns__s1sar": f"{_SAFE}/sentinel-1/sar",
    "xmlns__s1sarl1": f"{_SAFE}/sentinel-1/sar/level-1",
}


def sentinel1_manifest(root: Path, product: Sentinel1Product, swath: Swath) -> Element:
    """The root element; the product's other files must be there."""
    schemas: dict[str, str] = {}
    ids: dict[str, str] = {}
    links: list[Element] = []
    units: list[Element] = []
    for polarisation in POLARISATIONS:
        name = product.file(polarisation)
        key = name.replace("-", "")
        files = {
            f"product{key}": (f"annotation/{name}.xml", "s1Level1ProductSchema"),
            f"noise{key}": (f"annotation/calibration/noise-{name}.xml", "s1Level1NoiseSchema"),
            f"calibration{key}": (f"annotation/calibration/calibration-{name}.xml", "s1Level1CalibrationSchema"),
            key: (f"measurement/{name}.tiff", "s1Level1MeasurementSchema"),
        }
        files = {identity: file for identity, file in files.items() if (root / file[0]).exists()}
        ids |= {path: identity for identity, (path, _) in files.items()}
        schemas |= {identity: schema for identity, (_, schema) in files.items()}
        annotations = [identity for identity in files if identity != key]
        links += [_link(identity) for identity in annotations]
        units += [_unit(identity, files[identity][1], "Metadata Unit") for identity in annotations]
        described = " ".join(f"{identity}Annotation" for identity in annotations)
        units.append(_unit(key, "s1Level1MeasurementSchema", "Measurement Data Unit", described))
    objects = data_objects(root, ids)
    for entry in objects:
        entry.set("repID", schemas[entry.get("ID", "")])
    kind = "esa/safe/sentinel-1.0/sentinel-1/sar/level-1/grd/standard/iwdp"
    return manifest(kind, _SPACES, units, [*links, *_metadata(product, swath)], objects)


def _unit(identity: str, schema: str, kind: str, described_by: str = "") -> Element:
    unit = node("xfdu:contentUnit", node("dataObjectPointer", dataObjectID=identity), unitType=kind, repID=schema)
    if described_by:
        unit.set("dmdID", described_by)
    return unit


def _link(identity: str) -> Element:
    pointer = node("dataObjectPointer", dataObjectID=identity)
    return node("metadataObject", pointer, ID=f"{identity}Annotation", classification="DESCRIPTION", category="DMD")


def _metadata(product: Sentinel1Product, swath: Swath) -> list[Element]:
    software = node("safe:software", name="Sentinel-1 IPF", version=product.ipf)
    facility = node("safe:facility", software, country="France", name="Simulator", organisation="None", site="None")
    times = {"start": iso(product.stop), "stop": iso(product.stop)}
    processing = node("safe:processing", facility, name="GRD Post Processing", **times)
    mode = node("s1sarl1:instrumentMode", node("s1sarl1:mode", "IW"), node("s1sarl1:swath", "IW"))
    platform = node(
        "safe:platform",
        node("safe:familyName", "SENTINEL-1"),
        node("safe:number", product.platform[2:]),
        node(
            "safe:instrument",
            node("safe:familyName", "Synthetic Aperture Radar", abbreviation="SAR"),
            node("safe:extension", mode),
        ),
    )
    orbit = node(
        "safe:orbitReference",
        *(node("safe:orbitNumber", product.absolute_orbit, type=end) for end in ("start", "stop")),
        *(node("safe:relativeOrbitNumber", product.relative_orbit, type=end) for end in ("start", "stop")),
        node("safe:extension", node("s1:orbitProperties", node("s1:pass", product.direction.upper()))),
    )
    information = node(
        "s1sarl1:standAloneProductInformation",
        node("s1sarl1:instrumentConfigurationID", 1),
        node("s1sarl1:missionDataTakeID", product.datatake),
        *(node("s1sarl1:transmitterReceiverPolarisation", polarisation) for polarisation in POLARISATIONS),
        node("s1sarl1:productClass", "S"),
        node("s1sarl1:productComposition", "Slice"),
        node("s1sarl1:productType", "GRD"),
        node("s1sarl1:productTimelinessCategory", "Fast-24h"),
    )
    period = node(
        "safe:acquisitionPeriod",
        node("safe:startTime", iso(product.time)),
        node("safe:stopTime", iso(product.stop)),
    )
    return [
        metadata_object("processing", processing, "Processing", category="PDI"),
        metadata_object("platform", platform, "Platform Description"),
        metadata_object("measurementOrbitReference", orbit, "Orbit Reference"),
        metadata_object("generalProductInformation", information, "General Product Information"),
        metadata_object("acquisitionPeriod", period, "Acquisition Period"),
        metadata_object("measurementFrameSet", _frame(swath), "Frame Set"),
    ]


def _frame(swath: Swath) -> Element:
    last_line, last_sample = swath.lines - 1.0, swath.samples - 1.0
    lines, samples = np.array([last_line, last_line, 0, 0]), np.array([0, last_sample, last_sample, 0])
    corners = zip(*swath.lonlat(lines, samples), strict=True)
    text = " ".join(f"{latitude:.6f},{longitude:.6f}" for longitude, latitude in corners)
    footprint = node(
        "safe:footPrint", node("gml:coordinates", text), srsName="http://www.opengis.net/gml/srs/epsg.xml#4326"
    )
    return node("safe:frameSet", node("safe:frame", footprint))
