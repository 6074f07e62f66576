"""Search of Sentinel archives with JEPA descriptors. Imports neither Dagster nor MLflow."""
