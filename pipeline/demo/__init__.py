"""Everything once on this machine, on a generated sample."""
