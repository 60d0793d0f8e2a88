"""State of another version, found before anything is read: it is set aside as a whole, so that its parts agree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from localmaker.state.databases import version_of
from localmaker.state.directory import set_all_aside
from localmaker.state.store import FORMAT

#: Where moto's state is, below the state directory.
MOTO_FOLDER, MOTO_FILE = "aws", "state.db"
REGIONS_FOLDER = "regions"
# Where an earlier version kept the state of all regions together.
_BEFORE_REGIONS = ("jobs", "pipelines.sqlite3")


def set_aside_another_version(state_dir: Path, stores: Mapping[str, int], moto_version: str) -> str:
    """Set the state aside if any part of it is in another format; a damaged part is left to its store.

    Args:
        state_dir: the state directory.
        stores: pattern of the paths below it → format that this version reads.
        moto_version: the version of moto whose objects can be read.

    Returns:
        A sentence on it; empty if the state can be read.
    """
    reason = next(_reasons(state_dir, {f"{MOTO_FOLDER}/{MOTO_FILE}": FORMAT, **stores}, moto_version), "")
    if not reason:
        return ""
    return set_all_aside(state_dir, {MOTO_FOLDER, REGIONS_FOLDER, *_BEFORE_REGIONS, *stores}, reason)


def _reasons(state_dir: Path, stores: Mapping[str, int], moto_version: str) -> Iterator[str]:
    for name in _BEFORE_REGIONS:
        if (state_dir / name).exists():
            yield f"{name} is from a version without regions"
    for pattern, version in stores.items():
        for path in sorted(state_dir.glob(pattern)):
            place = path.relative_to(state_dir)
            found, moto = _read(path, needs_moto=path.name == MOTO_FILE)
            if found not in (None, version):
                yield f"{place} is in format {found}, and this version reads format {version}"
            if moto not in (None, moto_version):
                yield f"moto {moto} wrote {place}, and moto {moto_version} is installed"


def _read(path: Path, *, needs_moto: bool) -> tuple[int | None, str | None]:
    """Return the format of a file, and the version of moto that wrote it; None for what it does not say."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = version_of(database)
            row = database.execute("SELECT value FROM meta WHERE name = 'moto'").fetchone() if needs_moto else None
    except sqlite3.DatabaseError:  # damaged, or new
        return None, None
    return found, row[0] if row else None
