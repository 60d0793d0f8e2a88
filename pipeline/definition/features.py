"""What the feature group holds, read from the steps' own schema so that it is written down once."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pipeline.definition.bundle import STEPS_FOLDER

RECORD_IDENTIFIER = "dteday"
EVENT_TIME = "event_time"


def stored_features() -> Mapping[str, str]:
    """Feature name → ``String``, ``Integral`` or ``Fractional``, in the order of ``analysis.features.profiles``."""
    # steps/ travels to the containers and is no package of this environment: it is on the path for this import only.
    sys.path.insert(0, str(STEPS_FOLDER))
    try:
        from analysis.features.profiles import STORED_FEATURES
    finally:
        sys.path.remove(str(STEPS_FOLDER))
    features: Mapping[str, str] = STORED_FEATURES
    return features
