"""Descriptors as files that other tools read as they lie."""
