"""Labelled benchmark sets, as users hold them."""
