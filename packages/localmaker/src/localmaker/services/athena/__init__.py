"""Athena: queries that really run, on DuckDB, over the objects of the Glue tables."""
