"""moto's objects as pieces of the state, and back."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend

from localmaker.state.blobs import BlobFile, BlobStore
from localmaker.state.pickling import Pickled, dump, load
from localmaker.state.store import Piece, PieceId, UnusableStateError


class Codec:
    """Writes and reads the bytes of pieces.

    Args:
        blobs: the files that they refer to.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def piece(self, identity: PieceId, value: Any) -> Piece:
        """The piece of an object; one that says it is gone for None.

        Raises:
            TypeError, AttributeError, pickle.PicklingError: something in it cannot be stored.
        """
        if value is None:
            return Piece(identity, None)
        pickled = self._dump(value)
        return Piece(identity, pickled.data, tuple(pickled.files))

    def value(self, piece: Piece) -> Any:
        """The object of a piece.

        Raises:
            UnknownStateError: it is not what :meth:`piece` made.
            UnusableStateError: a file that it refers to is missing.
        """
        return load(piece.data or b"", live_backend, self._adopt)

    def _dump(self, value: Any) -> Pickled:
        while True:
            try:
                return dump(value)
            except RuntimeError as error:
                # Another request has changed it meanwhile; that one waits to store it, too.
                if "during iteration" not in str(error):
                    raise

    def _adopt(self, name: str) -> BlobFile:
        try:
            return self._blobs.adopt(name)
        except FileNotFoundError as error:
            raise UnusableStateError(f"the file {name} of an object is missing") from error


def live_backend(service: str, account: str, region: str) -> Any:
    """moto's backend of a service.

    Raises:
        KeyError, ImportError: a region that is none, or a service without a backend of its own.
    """
    backends: Any = get_backend(service)
    return backends[account][region]
