"""The stored state, given back to moto when the endpoint starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.s3.models import s3_backends

from localmaker.state import changes, parts
from localmaker.state.directory import sentences_on_what_is_set_aside
from localmaker.state.pickling import Codec, live_backend, restore_into
from localmaker.state.store import Piece, UnusableStateError

#: Kinds of pieces; those of parts are :mod:`localmaker.state.parts`'s to know.
BACKEND, BUCKET, OBJECT, UPLOAD, DELIVERY = "backend", "bucket", "object", "upload", "undelivered event"


@dataclass(frozen=True)
class Restored:
    """What the endpoint found at its start.

    Attributes:
        generation: the number of the last stored change.
        changed: its time in seconds since 1970; 0 for an empty state.
        pieces: the number of pieces of each kind.
        after_kill: whether the previous endpoint was killed.
    """

    generation: int
    changed: float
    pieces: dict[str, int]
    after_kill: bool

    def __str__(self) -> str:
        if self.generation == 0:
            text = "new state"
        else:
            when = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            counts = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in sorted(self.pieces.items()))
            ended = "was killed" if self.after_kill else "stopped cleanly"
            text = f"state {self.generation} of {when} ({counts or 'empty'}); the previous endpoint {ended}"
        return "; ".join([text, *sentences_on_what_is_set_aside()])


def restore(pieces: Iterable[Piece], codec: Codec) -> tuple[dict[str, int], dict[str, bytes]]:
    """Give moto what the pieces hold.

    Args:
        pieces: owners before what belongs to them.
        codec: reads the pieces.

    Returns:
        The number of pieces of each kind, and the events that were not delivered, by id.

    Raises:
        UnknownStateError, UnusableStateError: a piece cannot be used.
    """
    kinds: Counter[str] = Counter()
    undelivered: dict[str, bytes] = {}
    for piece in pieces:
        kinds[piece.id.kind] += 1
        if piece.id.kind == DELIVERY:
            undelivered[piece.id.name] = piece.data or b""
            continue
        try:
            restore_piece(piece, codec.value(piece))
        except LookupError as error:
            raise UnusableStateError(f"the owner of {piece.id} is missing ({error!r})") from error
    return dict(kinds), undelivered


def restore_piece(piece: Piece, value: Any) -> None:
    """Give moto what one piece holds, in place of what it has there.

    Raises:
        LookupError: moto does not have its owner.
    """
    kind, owner, name = piece.id.kind, piece.id.owner.split("/"), piece.id.name
    if kind == BACKEND:
        restore_into(live_backend(*owner), value)
    elif kind == BUCKET:
        _restore_bucket(owner[0], owner[1], owner[2], value)
    elif kind in (OBJECT, UPLOAD):
        account, partition, bucket_name = owner
        backend = s3_backends[account][partition]
        bucket = backend.buckets[bucket_name]
        if kind == OBJECT:
            dict.__setitem__(bucket.keys, name, value["versions"])
            backend.tagger.tags.update(value["tags"])
        else:
            dict.__setitem__(bucket.multiparts, name, value)
    else:
        its_parts = parts.of_kind(kind)
        its_parts.restore(live_backend(its_parts.service, *owner), name, value)


def _restore_bucket(account: str, partition: str, name: str, value: dict[str, Any]) -> None:
    backend = s3_backends[account][partition]
    bucket = backend.buckets.get(name)
    if bucket is None:
        bucket = value["class"].__new__(value["class"])
        bucket.__dict__.update(value["state"])
        changes.track_bucket(bucket)
    else:  # its objects and uploads stay
        bucket.__dict__ = {**value["state"], "keys": bucket.keys, "multiparts": bucket.multiparts}
    backend.buckets[name] = bucket
    s3_backends.bucket_accounts[name] = (partition, account)
    backend.tagger.tags.pop(value["arn"], None)
    if value["tags"] is not None:
        backend.tagger.tags[value["arn"]] = value["tags"]
