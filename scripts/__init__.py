"""Programs that an operator or a data scientist runs by hand, one job each.

``python scripts/<name>.py --help`` works from any directory. They use the steps' own code (the package ``analysis`` and
the step scripts), so that what is prepared or predicted by hand is what the pipeline prepares and predicts. ``steps/``
travels to the containers and is no package of this environment, so importing ``scripts`` puts it on the import path.
"""

from __future__ import annotations

import sys

from pipeline.definition.bundle import STEPS_FOLDER

if str(STEPS_FOLDER) not in sys.path:
    sys.path.insert(0, str(STEPS_FOLDER))
