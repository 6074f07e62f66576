"""Code version of each stage; part of its fingerprint.

Raise a version when the stage's code gives other results from the same inputs and settings, and only
then: everything downstream is computed again, a trained model included.
"""

PATCHES = "2"
PAIRS = "1"
CACHE = "2"
MODEL = {"ijepa": "4", "mae": "4", "rejepa": "4", "xjepa": "4", "crjepa": "6", "lejepa": "4"}
DESCRIPTORS = "2"
INDEX = "4"
BENCHMARK = "5"
COMPARISON = "3"
