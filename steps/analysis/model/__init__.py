"""The regression: fitted, summarised, saved, registered."""
