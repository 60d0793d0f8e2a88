"""The checks, one concern a module; each is a small function registered under a name."""
