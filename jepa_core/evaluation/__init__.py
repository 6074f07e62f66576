"""Metrics, baselines, protocols and the report."""
