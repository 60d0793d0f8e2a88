"""What the feature group holds, read from the steps' own schema so that it is written down once."""

import sys
from collections.abc import Mapping

from pipeline.definition.bundle import STEPS_FOLDER

RECORD_IDENTIFIER = "dteday"
EVENT_TIME = "event_time"


def stored_features() -> Mapping[str, str]:
    """Return feature name → ``String``, ``Integral`` or ``Fractional``, in the order of the steps' own schema."""
    # steps/ is copied into the containers and is not installed here: it is on the path for this import only.
    sys.path.insert(0, str(STEPS_FOLDER))
    try:
        from analysis.features.profiles import STORED_FEATURES
    finally:
        sys.path.remove(str(STEPS_FOLDER))
    features: Mapping[str, str] = STORED_FEATURES
    return features
