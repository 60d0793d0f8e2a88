"""``python -m pipeline`` is ``bikeshare``."""

from pipeline.cli import main

main()
