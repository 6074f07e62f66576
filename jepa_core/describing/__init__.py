"""Patches to descriptors: a file a scene, computed where it is missing."""
