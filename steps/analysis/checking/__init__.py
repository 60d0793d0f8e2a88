"""Checks of the cells of a file: types, form, gaps, repetitions, domains and rules, and the quality report."""
