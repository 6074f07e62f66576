"""Small Sentinel-1 IW GRD images and their annotation, as the product specification lays them out."""

from dataclasses import dataclass, field

import numpy as np
import rasterio
from rasterio.warp import transform
from scipy.interpolate import RegularGridInterpolator

EARTH_M = 6_371_000.0


@dataclass
class Image:
    """An image of 10 m pixels on a round Earth, from a right-looking radar."""

    longitude: float = 11.0
    latitude: float = 47.0
    lines: int = 900
    samples: int = 1300
    ascending: bool = False
    polarisation: str = "VV"
    columns: int = 6
    rows: int = 5
    relief_m: float = 0.0
    heights: np.ndarray = field(init=False)

    def __post_init__(self):
        shape = (self.rows, self.columns)
        self.heights = np.random.default_rng(0).uniform(0, max(self.relief_m, 1e-9), shape)

    @property
    def nodes(self):
        """Lines and samples of the grid; the last step is shorter, as in real products."""
        at = []
        for pixels, count in ((self.lines, self.rows), (self.samples, self.columns)):
            step = int(np.ceil((pixels - 1) / (count - 1.3)))
            at.append(np.append(np.arange(count - 1) * step, pixels - 1).astype(float))
        return at

    def ground(self):
        """Longitudes and latitudes of the grid's points."""
        heading = np.radians(347.0 if self.ascending else 193.0)
        lines, samples = self.nodes
        along = 10 * (lines[:, None] - self.lines / 2) + 0 * samples
        across = 10 * (samples[None] - self.samples / 2) + self.heights / np.tan(np.radians(38.0))
        north = along * np.cos(heading) + across * np.cos(heading + np.pi / 2)
        east = along * np.sin(heading) + across * np.sin(heading + np.pi / 2)
        lat, lon = np.radians(self.latitude), np.radians(self.longitude)
        up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        to_east = np.array([-np.sin(lon), np.cos(lon), 0])
        to_north = np.cross(up, to_east)
        point = up + (east[..., None] * to_east + north[..., None] * to_north) / EARTH_M
        x, y, z = np.moveaxis(point, -1, 0)
        return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))

    def reference(self, epsg):
        """The forward model by another hand: (line, sample) pairs to easting and northing."""
        lon, lat = self.ground()
        x, y = transform("EPSG:4326", f"EPSG:{epsg}", lon.ravel().tolist(), lat.ravel().tolist())
        xy = np.stack([x, y], axis=-1).reshape(*lon.shape, 2)
        return RegularGridInterpolator(self.nodes, xy, bounds_error=False, fill_value=None)

    def annotation(self, mode="IW", kind="GRD", drop=(), noise_removed="false"):
        lon, lat = self.ground()
        lines, samples = self.nodes
        points = "".join(
            f"<geolocationGridPoint><azimuthTime>2021-04-01T05:26:23.794193</azimuthTime>"
            f"<slantRangeTime>5.3e-03</slantRangeTime><line>{lines[i]:.0f}</line><pixel>{samples[j]:.0f}</pixel>"
            f"<latitude>{lat[i, j]:.15e}</latitude><longitude>{lon[i, j]:.15e}</longitude>"
            f"<height>{self.heights[i, j]:.6e}</height><incidenceAngle>3.8e+01</incidenceAngle></geolocationGridPoint>"
            for i in range(len(lines))
            for j in range(len(samples))
            if (i, j) not in drop
        )
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<product>{self._header(mode, kind)}
  <generalAnnotation><productInformation><pass>{"Ascending" if self.ascending else "Descending"}</pass>
  </productInformation></generalAnnotation>
  <imageAnnotation><imageInformation>
    <numberOfSamples>{self.samples}</numberOfSamples><numberOfLines>{self.lines}</numberOfLines>
  </imageInformation><processingInformation>
    <thermalNoiseCorrectionPerformed>{noise_removed}</thermalNoiseCorrectionPerformed>
  </processingInformation></imageAnnotation>
  <geolocationGrid><geolocationGridPointList count="{len(lines) * len(samples)}">{points}
  </geolocationGridPointList></geolocationGrid>
</product>""".encode()

    def calibration(self, value=lambda line, pixel: 500.0 + 0 * pixel, vectors=None):
        vectors = vectors or [(line, self._pixels()) for line in (-50, 300, 700, self.lines + 20)]
        records = "".join(
            f"<calibrationVector><azimuthTime>2021-04-01T05:26:23.8</azimuthTime><line>{line}</line>"
            f"{listed('pixel', pixels, 'd')}{listed('sigmaNought', value(line, pixels))}"
            f"{listed('betaNought', 1 + 0 * pixels)}{listed('gamma', 1 + 0 * pixels)}{listed('dn', 1 + 0 * pixels)}"
            f"</calibrationVector>"
            for line, pixels in vectors
        )
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<calibration>{self._header()}<calibrationInformation><absoluteCalibrationConstant>1.0</absoluteCalibrationConstant>
</calibrationInformation><calibrationVectorList count="{len(vectors)}">{records}</calibrationVectorList>
</calibration>""".encode()

    def old_noise(self, value=lambda line, pixel: 400.0 + 0 * pixel):
        return self._noise("noiseVector", "noiseLut", value)

    def new_noise(self, value=lambda line, pixel: 400.0 + 0 * pixel, blocks=()):
        """Blocks are (first line, last line, first sample, last sample, lines, factors)."""
        records = "".join(
            f"<noiseAzimuthVector><swath>IW1</swath><firstAzimuthLine>{a}</firstAzimuthLine>"
            f"<firstRangeSample>{c}</firstRangeSample><lastAzimuthLine>{b}</lastAzimuthLine>"
            f"<lastRangeSample>{d}</lastRangeSample>{listed('line', lines, 'd')}{listed('noiseAzimuthLut', factors)}"
            f"</noiseAzimuthVector>"
            for a, b, c, d, lines, factors in blocks
        )
        extra = f'<noiseAzimuthVectorList count="{len(blocks)}">{records}</noiseAzimuthVectorList>'
        return self._noise("noiseRangeVector", "noiseRangeLut", value, extra)

    def write(self, path, amplitudes):
        """The measurement, laid out as real ones are: blocks of one line, no place of its own."""
        height, width = amplitudes.shape
        profile = {"driver": "GTiff", "count": 1, "dtype": amplitudes.dtype, "blockysize": 1}
        with rasterio.open(path, "w", width=width, height=height, **profile) as file:
            file.write(amplitudes, 1)
        return str(path)

    def _noise(self, vector, tag, value, extra=""):
        records = "".join(
            f"<{vector}><azimuthTime>2021-04-01T05:26:23.8</azimuthTime><line>{line}</line>"
            f"{listed('pixel', self._pixels(), 'd')}{listed(tag, value(line, self._pixels()))}</{vector}>"
            for line in (0, 450, self.lines - 1)
        )
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<noise>{self._header()}<{vector}List count="3">{records}</{vector}List>{extra}</noise>""".encode()

    def _pixels(self):
        return np.append(np.arange(0, self.samples - 1, 40), self.samples - 1)

    def _header(self, mode="IW", kind="GRD"):
        return f"""
  <adsHeader><missionId>S1B</missionId><productType>{kind}</productType>
    <polarisation>{self.polarisation}</polarisation><mode>{mode}</mode><swath>IW</swath>
    <startTime>2021-04-01T05:26:23.794457</startTime><stopTime>2021-04-01T05:26:48.793373</stopTime>
    <absoluteOrbitNumber>26269</absoluteOrbitNumber><missionDataTakeId>205463</missionDataTakeId>
    <imageNumber>001</imageNumber></adsHeader>"""


def listed(tag, values, form=".9e"):
    return f'<{tag} count="{len(values)}">{" ".join(format(v, form) for v in values)}</{tag}>'
