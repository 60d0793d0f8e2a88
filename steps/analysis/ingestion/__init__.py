"""Rows of CSV files on their way into the Feature Store, none of them lost."""
