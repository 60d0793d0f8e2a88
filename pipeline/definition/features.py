"""What the feature group holds, read from the steps' own schema so that it is written down once."""

from collections.abc import Mapping

RECORD_IDENTIFIER = "dteday"
EVENT_TIME = "event_time"


def stored_features() -> Mapping[str, str]:
    """Return feature name → ``String``, ``Integral`` or ``Fractional``, in the order of the steps' own schema."""
    from analysis.features.profiles import STORED_FEATURES

    return STORED_FEATURES
