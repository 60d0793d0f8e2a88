"""The Feature Store: feature groups, and the records of their online stores, in SQLite."""
