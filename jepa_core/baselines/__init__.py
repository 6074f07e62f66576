"""Descriptors that cost nothing or next to it: what a trained method has to beat."""
