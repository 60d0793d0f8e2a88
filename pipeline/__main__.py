"""``python -m pipeline`` is the command that ``pyproject.toml`` names."""

from pipeline.cli import main

main()
