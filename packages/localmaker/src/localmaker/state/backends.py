"""moto's backends as pieces of the state: each as a whole, but for the parts that are stored by themselves."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from typing import Any

from localmaker.state.archived_events import ArchivedEvents
from localmaker.state.codec import Codec, live_backend
from localmaker.state.log_streams import LogStreams
from localmaker.state.parts import Parts
from localmaker.state.pickling import UnknownStateError, restore_into
from localmaker.state.queue_messages import QueueMessages
from localmaker.state.recording import Change
from localmaker.state.store import Piece, PieceId
from localmaker.state.stored import StoredPieces
from localmaker.state.tracking import BackendName

logger = logging.getLogger(__name__)

KIND = "backend"
_PARTS: tuple[Parts, ...] = (ArchivedEvents(), LogStreams(), QueueMessages())
PART_KINDS = {parts.kind: parts for parts in _PARTS}
_OF_SERVICE = {parts.service: parts for parts in _PARTS}
# Tested; what others store is read once before it is written.
_KNOWN_TO_LOAD = {"events", "iam", "kms", "logs", "sagemaker", "sns", "sqs", "sts"}
_ACCESS = ("iam", "sts")


class Backends:
    """Makes pieces of backends and of their parts.

    Args:
        codec: writes and reads them.
        stored: what is in the state already.
    """

    def __init__(self, codec: Codec, stored: StoredPieces) -> None:
        self._codec = codec
        self._stored = stored
        self._not_kept: set[str] = set()

    def pieces(self, service: str, account: str, region: str) -> Iterator[Piece]:
        """The pieces of a backend, and of the parts that came to it or left it."""
        try:
            backend = live_backend(service, account, region)
        except (KeyError, ImportError):  # a region that is none, or a service without a backend of its own
            return
        parts = _OF_SERVICE.get(service)
        if parts is not None:
            yield from self._come_and_gone(parts, backend, f"{account}/{region}")
        try:
            piece = self._codec.piece(PieceId(KIND, f"{service}/{account}/{region}"), backend.__dict__)
            if service not in _KNOWN_TO_LOAD:
                self._codec.value(piece)
        except (TypeError, AttributeError, pickle.PicklingError, UnknownStateError) as error:
            if service not in self._not_kept:
                self._not_kept.add(service)
                logger.warning("the state of %s is not kept over a restart: %s", service, error)
            return
        yield piece

    def _come_and_gone(self, parts: Parts, backend: Any, owner: str) -> Iterator[Piece]:
        gone = self._stored.names(parts.kind, owner)
        for name in parts.names(backend):
            if name not in gone:
                yield self._part(parts, backend, PieceId(parts.kind, owner, name))
            gone.discard(name)
        for name in gone:
            yield Piece(PieceId(parts.kind, owner, name), None)

    def part(self, identity: PieceId) -> Piece:
        """The piece of a part."""
        parts = PART_KINDS[identity.kind]
        account, region = identity.owner.split("/")
        return self._part(parts, live_backend(parts.service, account, region), identity)

    def _part(self, parts: Parts, backend: Any, identity: PieceId) -> Piece:
        return self._codec.piece(identity, parts.find(backend, identity.name))

    def restore(self, piece: Piece) -> None:
        """Give moto what a piece holds."""
        value = self._codec.value(piece)
        if piece.id.kind == KIND:
            restore_into(live_backend(*piece.id.owner.split("/")), value)
        else:
            parts = PART_KINDS[piece.id.kind]
            parts.restore(live_backend(parts.service, *piece.id.owner.split("/")), piece.id.name, value)


def changed_by(change: Change, touched: set[BackendName]) -> set[BackendName]:
    """The backends of those that a request touched that it may have changed as a whole."""
    return {name for name in touched if not _is_only_read(name[0], change)}


def _is_only_read(service: str, change: Change) -> bool:
    if service in _ACCESS:
        # Every request looks there for whether it is allowed.
        return change.service not in (*_ACCESS, "cloudformation")
    parts = _OF_SERVICE.get(service)
    return parts is not None and parts.are_all_of(change)
