"""Sentinel-1 measurements in radar geometry, brought to sigma nought in dB on the pixels of a map."""
