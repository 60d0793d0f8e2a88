"""The parts of ``scripts/build_site.py``: pages, graphs, rendered notebooks, and the check of what was built."""
