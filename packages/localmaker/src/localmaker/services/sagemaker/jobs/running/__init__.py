"""One running job: its hosts, its processes from start to end, and what its code works with."""
