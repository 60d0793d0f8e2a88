"""``python -m pipedef`` is ``pipedef``."""

from pipedef.cli import main

main()
