"""``python -m localmaker`` is ``localmaker``."""

from localmaker.cli import main

main()
