"""What a version's metadata in the registry says of it, beside its numbers."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from analysis.dataset.afterwards import known_afterwards
from analysis.dataset.declaration import Dataset
from analysis.features.profiles import Profile

_LONGEST = 256
"""Characters of a value of CustomerMetadataProperties."""
YES, NO = "yes", "no"


def never_known(profile: Profile, dataset: Dataset) -> tuple[str, ...]:
    """Return the columns that a model takes and that no new row can have: they are known only when the target is."""
    return tuple(name for name in profile.sources if name in known_afterwards(dataset))


def scores_new_rows(profile: Profile, dataset: Dataset) -> str:
    """Return "yes", or "no: " and the columns that are missing; their spaces become underscores."""
    missing = never_known(profile, dataset)
    names = " ".join(re.sub(r"[^\w.:/=+@-]", "_", name) for name in missing)
    return f"{NO}: {names}"[:_LONGEST] if missing else YES


def registration(profile: Profile, dataset: Dataset, declaration: Path, data_sha256: Any) -> dict[str, str]:
    """Return the block `registration` of evaluation.json: texts that the registry takes as metadata."""
    return {
        "data_sha256": str(data_sha256 or "unknown"),
        "declaration_sha256": hashlib.sha256(declaration.read_bytes()).hexdigest(),
        "scores_new_rows": scores_new_rows(profile, dataset),
    }
