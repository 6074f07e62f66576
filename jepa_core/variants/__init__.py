"""The methods, one file each, on the contract of `variant.py`."""
