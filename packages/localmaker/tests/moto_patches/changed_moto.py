"""Change each place of the manifest in turn, and print what the verification says of it: path to messages, as JSON.

It runs in a process of its own: where moto has been patched already, there is nothing left to verify.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localmaker.errors import MotoVersionError
from localmaker.moto_patches.manifest import PLACES, verify
from localmaker.moto_patches.places import ABSENT, INSTANCE_ATTRIBUTE, Place


def _of_another_moto(*_: Any, of_another_moto: Any = None) -> Any:
    """Stand in for a function whose parameters are others."""


@contextmanager
def _changed(place: Place, change: Callable[[Any, str], None]) -> Iterator[None]:
    owner: Any = importlib.import_module(place.module)
    *owners, name = place.name.split(".")
    for one in owners:
        owner = getattr(owner, one)
    if place.look == INSTANCE_ATTRIBUTE:
        name = "__init__"
    had, before = name in vars(owner), vars(owner).get(name)
    change(owner, name)
    try:
        yield
    finally:
        if had:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


def _replace(owner: Any, name: str) -> None:
    setattr(owner, name, _of_another_moto)


def _changes(place: Place) -> list[Callable[[Any, str], None]]:
    removable = place.look not in (ABSENT, INSTANCE_ATTRIBUTE)
    return [delattr, _replace] if removable else [_replace]


def _message(place: Place, change: Callable[[Any, str], None]) -> str:
    with _changed(place, change):
        try:
            verify()
        except MotoVersionError as error:
            return str(error)
    return "nothing"


if __name__ == "__main__":
    verify()
    print(json.dumps({place.path: [_message(place, change) for change in _changes(place)] for place in PLACES}))
