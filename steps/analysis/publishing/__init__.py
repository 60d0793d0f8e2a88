"""Predictions for people: the table, its manifest and page, and the pointers to the newest."""
