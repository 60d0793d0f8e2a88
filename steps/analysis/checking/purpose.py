"""What a file is prepared for."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """The use that a file is prepared for: training needs the target, scoring does not."""

    TRAINING = "training"
    SCORING = "scoring"
