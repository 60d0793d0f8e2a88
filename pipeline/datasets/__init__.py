"""Declarations of data sets as their authors meet them: drafted from a file, checked, documented."""
