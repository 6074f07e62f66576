"""Dagster only. Imports nothing: every Dagster process passes through `_cli_defaults`."""
