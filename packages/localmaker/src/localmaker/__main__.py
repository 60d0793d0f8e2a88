"""Run ``localmaker`` as ``python -m localmaker``."""

from localmaker.cli import main

main()
