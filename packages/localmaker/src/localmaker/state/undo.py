"""What is stored, given back to moto's memory after a change that could not be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.core.base_backend import BaseBackend
from moto.s3.models import s3_backends

from localmaker.state import parts
from localmaker.state.pickling import Codec, live_backend
from localmaker.state.restore import BACKEND, BUCKET, DELIVERY, OBJECT, UPLOAD, restore_piece
from localmaker.state.store import PieceId, StoredPieces


def undo(identities: Iterable[PieceId], stored: StoredPieces, codec: Codec) -> set[PieceId]:
    """Make pieces of moto's state what they are on disk; what is not there is removed.

    Args:
        identities: of the pieces that differ from what is stored.
        stored: the pieces on disk.
        codec: reads them.

    Returns:
        The ids of all pieces that were replaced: with a backend come its parts.
    """
    replaced = {identity for identity in identities if identity.kind != DELIVERY}
    for identity in tuple(replaced):
        if identity.kind == BACKEND:
            replaced.update(_parts_on_disk(identity, stored))
    found = stored.find(replaced)
    values = [(piece, codec.value(piece)) for piece in found]
    # Parts go before the backend that they are in, since a new one has none of them.
    for identity in sorted(replaced - {piece.id for piece in found}, key=lambda one: one.kind in (BACKEND, BUCKET)):
        _remove(identity)
    for piece, value in values:
        if piece.id.kind == OBJECT:
            _remove_tags(piece.id)
        restore_piece(piece, value)
    return replaced


def _parts_on_disk(backend: PieceId, stored: StoredPieces) -> list[PieceId]:
    service, _, owner = backend.owner.partition("/")
    its_parts = parts.of_service(service)
    return stored.ids(kind=its_parts.kind, owner=owner) if its_parts is not None else []


def _remove(identity: PieceId) -> None:
    """Remove from moto what is not stored."""
    kind, owner, name = identity.kind, identity.owner.split("/"), identity.name
    if kind == BACKEND:
        BaseBackend.reset(live_backend(*owner))
    elif kind == BUCKET:
        backend = s3_backends[owner[0]][owner[1]]
        gone = backend.buckets.pop(owner[2], None)
        if gone is not None:
            s3_backends.bucket_accounts.pop(owner[2], None)
            backend.tagger.tags.pop(gone.arn, None)
    elif kind in (OBJECT, UPLOAD):
        found = _bucket(identity)
        if kind == OBJECT:
            _remove_tags(identity)
        if found is not None:
            dict.pop(found.keys if kind == OBJECT else found.multiparts, name, None)
    else:
        its_parts = parts.of_kind(kind)
        its_parts.remove(live_backend(its_parts.service, *owner), name)


def _remove_tags(identity: PieceId) -> None:
    found = _bucket(identity)
    for version in found.keys.getlist(identity.name) or () if found is not None else ():
        if hasattr(version, "arn"):
            account, partition, _ = identity.owner.split("/")
            s3_backends[account][partition].tagger.tags.pop(version.arn, None)


def _bucket(identity: PieceId) -> Any:
    account, partition, name = identity.owner.split("/")
    return s3_backends[account][partition].buckets.get(name)
