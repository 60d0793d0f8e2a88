"""moto's state on disk: stored piece by piece before a request is answered, read at the start.

A request notes what it touches (:mod:`localmaker.state.changes`). Before it is answered, each touched piece is compared
with what is stored, and the pieces that differ are written in one transaction. So the state on disk is always that
after a whole number of requests, and a killed process loses nothing that it has answered. What cannot be written, as on
a full disk, is undone in memory (:mod:`localmaker.state.undo`), and the request fails. A piece is a backend as a whole,
except for what grows: objects of S3 and parts of other services (:mod:`localmaker.state.parts`).
"""

from __future__ import annotations

import logging
import os
import pickle
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import moto
from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends

from localmaker.errors import NoRoomError, StateUnavailableError, UnsafeStateError
from localmaker.state import changes as tracking
from localmaker.state import contents, parts
from localmaker.state.blobs import BlobStore
from localmaker.state.changes import BackendName, BucketName, Change, Changes, current_changes
from localmaker.state.directory import set_aside
from localmaker.state.formats import MOTO_FILE, MOTO_FOLDER
from localmaker.state.pickling import Codec, UnknownStateError, live_backend
from localmaker.state.restore import BACKEND, BUCKET, DELIVERY, OBJECT, UPLOAD, Restored, restore
from localmaker.state.store import Piece, PieceId, StateFile, StoredPieces, UnusableStateError
from localmaker.state.undo import undo

logger = logging.getLogger(__name__)

# How long a request waits for its turn: one that calls back into the endpoint must not wait for itself for ever.
_TURN_SECONDS = 10.0
# Tested; the state of other services is read once before it is written.
_KNOWN_TO_LOAD = {"events", "iam", "kms", "logs", "sagemaker", "sns", "sqs", "sts"}
_ACCESS_SERVICES = ("iam", "sts")


class MotoState:
    """The state of moto while the endpoint runs.

    Args:
        state_dir: the state directory of the endpoint.

    Attributes:
        blobs: the files of large objects.
        undelivered: the events that the previous endpoint had not delivered, as they were given to it.
        restored: what was found.

    Raises:
        UnsafeStateError: other users could have changed the stored state.
    """

    def __init__(self, state_dir: Path) -> None:
        self._turn = threading.Lock()
        self._storing = threading.Lock()
        # The pieces that were undone while the changes that are under way were made.
        self._undone: list[set[PieceId]] = []
        self._under_way = 0
        self._counting = threading.Lock()
        self._not_kept: set[str] = set()
        tracking.install()
        try:
            self.restored = self._open(state_dir / MOTO_FOLDER)
        except (UnusableStateError, UnknownStateError) as error:
            if hasattr(self, "_file"):
                self._file.close()
            BackendDict.reset()
            s3_backends.bucket_accounts.clear()
            logger.warning("%s", set_aside(state_dir / MOTO_FOLDER, str(error)))
            self._open(state_dir / MOTO_FOLDER)
            self.restored = Restored(0, 0, {}, after_kill=False)
        logger.info("%s", self.restored)
        self._file.mark(closed=False)

    def _open(self, folder: Path) -> Restored:
        folder.mkdir(mode=0o700, exist_ok=True)
        _require_private(folder)
        self.blobs = BlobStore(folder / "objects")
        contents.install(self.blobs)
        self._file = StateFile(folder / MOTO_FILE, moto.__version__)
        self._stored = StoredPieces(self._file, self.blobs)
        self._codec = Codec(self.blobs)
        kinds, self.undelivered = restore(self._stored.read(), self._codec)
        unused = self.blobs.sweep()
        if unused:
            logger.info("removed %d files that belonged to no object any more", unused)
        return Restored(*self._file.last_change(), kinds, after_kill=not self._file.was_closed)

    @contextmanager
    def recording(self, change: Change) -> Iterator[dict[str, bytes]]:
        """Store what the block changes in moto, before the block ends.

        Yields a dictionary for the deliveries that the changes cause, by id. They are stored in the same transaction.
        """
        changes = Changes()
        token = current_changes.set(changes)
        deliveries: dict[str, bytes] = {}
        has_turn = change.alone and self._turn.acquire(timeout=_TURN_SECONDS)
        since = self._begin()
        try:
            try:
                yield deliveries
            finally:
                current_changes.reset(token)
        except BaseException:
            with self._storing:
                self._undo(self._stored.differing(self._pieces(_narrowed(changes, change))))
            raise
        else:
            self._store(changes, change, deliveries, since)
        finally:
            self._end()
            if has_turn:
                self._turn.release()

    def _begin(self) -> int:
        with self._counting:
            self._under_way += 1
            return len(self._undone)

    def _end(self) -> None:
        with self._counting:
            self._under_way -= 1
            if not self._under_way:
                self._undone.clear()

    def keep_deliveries(self, deliveries: Mapping[str, bytes]) -> None:
        """Store deliveries that no request to moto has caused."""
        with self._storing:
            self._write(_delivery_pieces(deliveries))

    def forget_delivery(self, delivery_id: str) -> None:
        """Remove a delivery that has been made."""
        with self._storing:
            self._write([Piece(PieceId(DELIVERY, "", delivery_id), None)], releases=True)

    def forget(self) -> None:
        """Remove everything that is stored, before moto is reset."""
        with self._storing:
            self._write([Piece(identity, None) for identity in self._stored.ids()], releases=True)

    def close(self) -> None:
        """Store what changed without a request, and note that the endpoint has shut down properly."""
        names = [identity.owner.split("/") for identity in self._stored.ids(kind=BACKEND)]
        changes = Changes(backends={(service, account, region) for service, account, region in names})
        try:
            self._write(self._pieces(changes), releases=True)
            self._file.mark(closed=True)
        except (sqlite3.OperationalError, StateUnavailableError) as error:
            logger.warning("what changed without a request is not stored: %s", error)
        self._file.close()

    def _write(self, pieces: Iterable[Piece], *, releases: bool = False) -> None:
        self._stored.write(self._stored.differing(pieces), releases=releases)

    def _store(self, changes: Changes, change: Change, deliveries: Mapping[str, bytes], since: int) -> None:
        """Store a change, or undo it in memory and raise."""
        with self._storing:
            looked_up = _looked_up(changes)
            pieces = list(self._pieces(_narrowed(changes, change)))
            differing = self._stored.differing([*pieces, *_delivery_pieces(deliveries)])
            try:
                self._require_kept(looked_up | {piece.id for piece in pieces}, since)
                self._stored.write(differing, releases=change.releases)
            except BaseException:
                self._undo(differing)
                raise

    def _undo(self, differing: list[tuple[Piece, bytes]]) -> None:
        if differing:
            self._undone.append(undo((piece.id for piece, _ in differing), self._stored, self._codec))
        self._stored.tidy()

    def _require_kept(self, identities: set[PieceId], since: int) -> None:
        """Refuse a change that may have been made to what has been undone meanwhile.

        Raises:
            NoRoomError: it may have been lost.
        """
        if any(not undone.isdisjoint(identities) for undone in self._undone[since:]):
            raise NoRoomError("another change to the same resource, made at the same time, could not be stored")

    def _pieces(self, changes: Changes) -> Iterator[Piece]:
        for part in changes.parts:
            yield self._part(part)
        for backend in sorted(changes.backends):
            yield from self._backend(backend)
        for bucket in changes.buckets:
            yield from self._bucket(bucket)
        for bucket, key in changes.keys:
            yield self._object(bucket, key)
        for bucket, upload_id in changes.uploads:
            found = _bucket(bucket)
            upload = found.multiparts.get(upload_id) if found is not None else None
            yield self._codec.piece(PieceId(UPLOAD, "/".join(bucket), upload_id), upload)

    def _backend(self, name: BackendName) -> Iterator[Piece]:
        """Yield the piece of a backend, and those of the parts that it has gained or lost."""
        try:
            backend = live_backend(*name)
        except (KeyError, ImportError):  # a region that does not exist, or a service without a backend of its own
            return
        service, account, region = name
        its_parts = parts.of_service(service)
        if its_parts is not None:
            owner = f"{account}/{region}"
            gone = self._stored.names(its_parts.kind, owner)
            for part in its_parts.names(backend):
                if part not in gone:
                    yield self._part(PieceId(its_parts.kind, owner, part))
                gone.discard(part)
            for part in gone:
                yield Piece(PieceId(its_parts.kind, owner, part), None)
        try:
            piece = self._codec.piece(PieceId(BACKEND, "/".join(name)), backend.__dict__)
            if service not in _KNOWN_TO_LOAD:
                self._codec.value(piece)
        except (TypeError, AttributeError, pickle.PicklingError, UnknownStateError) as error:
            if service not in self._not_kept:
                self._not_kept.add(service)
                logger.warning("the state of %s is not kept over a restart: %s", service, error)
            return
        yield piece

    def _part(self, identity: PieceId) -> Piece:
        its_parts = parts.of_kind(identity.kind)
        backend = live_backend(its_parts.service, *identity.owner.split("/"))
        return self._codec.piece(identity, its_parts.find(backend, identity.name))

    def _bucket(self, name: BucketName) -> Iterator[Piece]:
        """Yield the piece of a bucket; for a deleted one also those of everything that was in it."""
        owner = "/".join(name)
        found = _bucket(name)
        if found is None:
            for gone in self._stored.ids(owner=owner):
                yield Piece(gone, None)
            return
        state = {key: value for key, value in found.__dict__.items() if key not in ("keys", "multiparts")}
        value = {"class": type(found), "state": state, "arn": found.arn, "tags": _tags(name).get(found.arn)}
        yield self._codec.piece(PieceId(BUCKET, owner), value)

    def _object(self, name: BucketName, key: str) -> Piece:
        """Return the piece of all versions of a key."""
        identity = PieceId(OBJECT, "/".join(name), key)
        found = _bucket(name)
        versions = found.keys.getlist(key) if found is not None else None
        if not versions:
            return Piece(identity, None)
        tags = _tags(name)
        arns = [version.arn for version in versions if hasattr(version, "arn")]
        return self._codec.piece(
            identity, {"versions": versions, "tags": {arn: tags[arn] for arn in arns if arn in tags}}
        )


def _bucket(name: BucketName) -> Any:
    return s3_backends[name[0]][name[1]].buckets.get(name[2])


def _tags(name: BucketName) -> dict[str, Any]:
    tags: dict[str, Any] = s3_backends[name[0]][name[1]].tagger.tags
    return tags


def _narrowed(changes: Changes, change: Change) -> Changes:
    """Return what of the touched pieces a request can have changed."""
    backends = {name for name in changes.backends if not _only_reads(name[0], change)}
    return replace(changes, backends=backends, buckets=set() if change.of_an_object else changes.buckets)


def _looked_up(changes: Changes) -> set[PieceId]:
    """Return the ids of the pieces in which a request may have found what it changes."""
    return {PieceId(BACKEND, "/".join(name)) for name in changes.backends} | {
        PieceId(BUCKET, "/".join(name)) for name in changes.buckets
    }


def _only_reads(service: str, change: Change) -> bool:
    """Return whether a request only reads a backend that it has touched, but for its parts."""
    if service in _ACCESS_SERVICES:
        # Every request looks there to find out whether it is allowed.
        return change.service not in (*_ACCESS_SERVICES, "cloudformation")
    its_parts = parts.of_service(service)
    return its_parts is not None and its_parts.changes_only_parts(change)


def _delivery_pieces(deliveries: Mapping[str, bytes]) -> Iterator[Piece]:
    for delivery_id, data in deliveries.items():
        yield Piece(PieceId(DELIVERY, "", delivery_id), data)


def _require_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeStateError(
            f"{folder} is not the user's own with mode 700: its files are trusted, and others could change them. "
            f"Make it so (chmod 700 {folder}), or give the endpoint another --state-dir"
        )
