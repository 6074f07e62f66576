"""What each kind of ground looks like to the two sensors. Round values of the right size, not measurements."""

import numpy as np

CLASSES = ("water", "forest", "crops", "urban", "bare")
"""Kinds of ground, in the order of every table here."""

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands of Sentinel-2, in the order of ESA's band numbers 0 to 12."""

POLARISATIONS = ("VV", "VH")
"""Of Sentinel-1's dual polarisation over land."""

REFLECTANCE = np.array(
    [
        # B01   B02    B03    B04    B05    B06    B07    B08    B8A    B09    B10    B11    B12
        [0.060, 0.050, 0.040, 0.025, 0.018, 0.015, 0.013, 0.012, 0.011, 0.010, 0.001, 0.006, 0.004],
        [0.030, 0.025, 0.045, 0.025, 0.070, 0.180, 0.220, 0.240, 0.260, 0.260, 0.002, 0.120, 0.050],
        [0.040, 0.040, 0.070, 0.050, 0.110, 0.280, 0.350, 0.370, 0.390, 0.390, 0.002, 0.200, 0.100],
        [0.100, 0.110, 0.120, 0.130, 0.150, 0.170, 0.180, 0.190, 0.200, 0.200, 0.003, 0.220, 0.200],
        [0.090, 0.100, 0.140, 0.190, 0.220, 0.240, 0.260, 0.270, 0.290, 0.290, 0.003, 0.350, 0.300],
    ]
)
"""Reflectance (0..1) by class and band."""

SIGMA0 = 10 ** (np.array([[-20.0, -28.0], [-8.5, -14.5], [-11.0, -17.5], [-3.0, -11.0], [-14.0, -22.0]]) / 10)
"""Backscatter, linear power, by class and polarisation."""

SCENE_CLASS = np.array([6, 4, 4, 5, 5], dtype=np.uint8)
"""Class of Sen2Cor's scene classification (SCL): 4 vegetation, 5 not vegetated, 6 water."""
