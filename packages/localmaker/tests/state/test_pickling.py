"""Stored objects are read back from an allow-list of classes: a changed file runs nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from localmaker.state.blobs import BlobStore
from localmaker.state.pickling import Codec, UnknownStateError
from localmaker.state.store import Piece, PieceId


class Attack:
    """Runs a function when it is unpickled.

    Args:
        function, arguments: to run.
    """

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("function", [Path.touch, print, eval, __import__])
def test_a_piece_that_would_run_a_function_is_refused(tmp_path: Path, function: object) -> None:
    data = pickle.dumps(Attack(function, tmp_path / "ran"))
    with pytest.raises(UnknownStateError):
        Codec(BlobStore(tmp_path / "objects")).value(Piece(PieceId("backend", "x"), data))
    assert not (tmp_path / "ran").exists()
