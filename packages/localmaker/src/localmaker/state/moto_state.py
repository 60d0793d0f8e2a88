"""moto's state on disk: stored piece by piece before a request is answered, read at start.

After every request that may change something, what it touched is compared with what is stored, and what differs is
written in one transaction: each backend as a whole, but for S3 (bucket, object, upload) and CloudWatch Logs (stream),
which grow. So the state on disk is that after a whole number of requests, whatever kills the process.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import moto
from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends

from localmaker.errors import UnsafeStateError
from localmaker.state import archived_events, log_streams, queue_messages, s3_contents, tracking, unstored
from localmaker.state.backends import KIND as BACKEND
from localmaker.state.backends import Backends, changed_by
from localmaker.state.blobs import BlobStore
from localmaker.state.buckets import KINDS as BUCKET_KINDS
from localmaker.state.buckets import Buckets
from localmaker.state.codec import Codec
from localmaker.state.directory import set_aside
from localmaker.state.pickling import UnknownStateError
from localmaker.state.recording import Change
from localmaker.state.restored import Restored
from localmaker.state.store import Piece, PieceId, StateFile, UnusableStateError
from localmaker.state.stored import StoredPieces
from localmaker.state.tracking import Changes, current_changes

logger = logging.getLogger(__name__)

_DELIVERY = "undelivered event"
_FOLDER = "aws"
_FILE = "state.db"
# How long a request waits for its turn: one that calls back into the endpoint must not wait for itself for ever.
_TURN_SECONDS = 10.0


class MotoState:
    """What moto holds, for as long as the endpoint runs.

    Args:
        state_dir: of the endpoint.

    Attributes:
        blobs: the files of large objects.
        undelivered: the events that the endpoint before this one had not delivered, as they were given to it.
        restored: what was there.

    Raises:
        UnsafeStateError: other users could have changed the stored state.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._turn = threading.Lock()
        self._storing = threading.Lock()
        self._unstored = Changes()
        self.undelivered: dict[str, bytes] = {}
        aside = ""
        try:
            self._open()
            self.restored = self._restore()
        except (UnusableStateError, UnknownStateError) as error:
            self._close_file()
            BackendDict.reset()
            s3_backends.bucket_accounts.clear()
            aside = set_aside(state_dir / _FOLDER, str(error))
            self.undelivered.clear()
            self._open()
            self.restored = Restored(0, 0, {}, after_kill=False, set_aside=aside)
        logger.log(logging.WARNING if aside else logging.INFO, "%s", self.restored)
        self._file.mark(closed=False)

    def _open(self) -> None:
        folder = self._state_dir / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        _require_private(folder)
        self.blobs = BlobStore(folder / "objects")
        s3_contents.install(self.blobs)
        tracking.install()
        archived_events.install()
        log_streams.install()
        queue_messages.install()
        unstored.install()
        self._file = StateFile(folder / _FILE, moto.__version__)
        self._stored = StoredPieces(self._file, self.blobs)
        codec = Codec(self.blobs)
        self._backends = Backends(codec, self._stored)
        self._buckets = Buckets(codec, self._stored)

    def _close_file(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    # Reading

    def _restore(self) -> Restored:
        kinds: Counter[str] = Counter()
        for piece in self._stored.read():
            kinds[piece.id.kind] += 1
            try:
                self._restore_piece(piece)
            except LookupError as error:
                raise UnusableStateError(f"{piece.id} belongs to nothing ({error!r})") from error
        unused = self.blobs.sweep()
        if unused:
            logger.info("removed %d files of objects that no longer are", unused)
        return Restored(*self._file.last_change(), dict(kinds), after_kill=not self._file.was_closed)

    def _restore_piece(self, piece: Piece) -> None:
        if piece.id.kind == _DELIVERY:
            self.undelivered[piece.id.name] = piece.data or b""
        elif piece.id.kind in BUCKET_KINDS:
            self._buckets.restore(piece)
        else:
            self._backends.restore(piece)

    # Writing

    @contextmanager
    def recording(self, change: Change) -> Iterator[dict[str, bytes]]:
        """Store what the block changes in moto, before the block ends.

        Yields a dictionary for the deliveries that the changes cause, by id: they are stored in the same transaction.
        """
        changes = Changes()
        token = current_changes.set(changes)
        deliveries: dict[str, bytes] = {}
        has_turn = change.alone and self._turn.acquire(timeout=_TURN_SECONDS)
        try:
            yield deliveries
        finally:
            current_changes.reset(token)
            try:
                changes.backends = changed_by(change, changes.backends)
                self._store(changes, deliveries)
            finally:
                if has_turn:
                    self._turn.release()

    def _store(self, changes: Changes, deliveries: Mapping[str, bytes] = MappingProxyType({})) -> None:
        with self._storing:
            changes.add(self._unstored)
            # What cannot be stored now, as with a full disk, goes with the next that can.
            self._unstored = changes
            self._stored.write([*self._pieces(changes), *_delivery_pieces(deliveries)])
            self._unstored = Changes()

    def keep_deliveries(self, deliveries: Mapping[str, bytes]) -> None:
        """Store deliveries that no request of moto's caused."""
        with self._storing:
            self._stored.write(_delivery_pieces(deliveries))

    def forget_delivery(self, delivery_id: str) -> None:
        """Note that a delivery is done."""
        with self._storing:
            self._stored.write([Piece(PieceId(_DELIVERY, "", delivery_id), None)])

    def _pieces(self, changes: Changes) -> Iterator[Piece]:
        for part in changes.parts:
            yield self._backends.part(part)
        for backend in sorted(changes.backends):
            yield from self._backends.pieces(*backend)
        for bucket in changes.buckets:
            yield from self._buckets.bucket(bucket)
        for bucket, key in changes.keys:
            yield self._buckets.object(bucket, key)
        for bucket, upload_id in changes.uploads:
            yield self._buckets.upload(bucket, upload_id)

    def forget(self) -> None:
        """Store that moto has nothing any more: it was reset."""
        with self._storing:
            self._stored.write([Piece(identity, None) for identity in self._stored.all()])

    def close(self) -> None:
        """Store what changed without a request, and note that the endpoint ended in order."""
        names = [identity.owner.split("/") for identity in self._stored.of_kind(BACKEND)]
        self._store(Changes(backends={(service, account, region) for service, account, region in names}))
        self._file.mark(closed=True)
        self._file.close()


def _delivery_pieces(deliveries: Mapping[str, bytes]) -> Iterator[Piece]:
    for delivery_id, data in deliveries.items():
        yield Piece(PieceId(_DELIVERY, "", delivery_id), data)


def _require_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeStateError(
            f"{folder} is not the user's own with mode 700: its files are trusted, and others could change them. "
            f"Make it so (chmod 700 {folder}), or give the endpoint another --state-dir"
        )
