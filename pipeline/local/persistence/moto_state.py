"""moto's state on disk: stored piece by piece before a request is answered, read at start.

After every request that may change something, what it touched is compared with what is stored, and what differs is
written in one transaction: each backend as a whole, but for S3 (bucket, object, upload) and CloudWatch Logs (stream),
which grow. So the state on disk is that after a whole number of requests, whatever kills the process.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import moto
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.logs.models import LogEvent, LogStream, logs_backends
from moto.s3.models import s3_backends

from pipeline.local.errors import UnsafeStateError
from pipeline.local.persistence import s3_contents, tracking
from pipeline.local.persistence.blobs import BlobStore
from pipeline.local.persistence.pickling import Pickled, UnknownStateError, dump, load, restore_into
from pipeline.local.persistence.recording import Change
from pipeline.local.persistence.store import Piece, PieceId, StateFile, UnusableStateError, digest
from pipeline.local.persistence.tracking import BucketName, Changes, current_changes
from pipeline.local.state import set_aside

logger = logging.getLogger(__name__)

_DELIVERY = "undelivered event"
_FOLDER = "aws"
_FILE = "state.db"
# How long a request waits for its turn: one that calls back into the endpoint must not wait for itself for ever.
_TURN_SECONDS = 10.0
# Tested; what others store is read once before it is written.
_KNOWN_TO_LOAD = {"events", "iam", "kms", "logs", "sagemaker", "sns", "sqs", "sts"}
_ACCESS = ("iam", "sts")
_PARTS_ONLY = {"PutLogEvents"}


@dataclass(frozen=True)
class Restored:
    """What the endpoint came up with.

    Attributes:
        generation: the number of the last stored change.
        changed: when that was; seconds since 1970, 0 for an empty state.
        pieces: how many of each kind.
        after_kill: whether the endpoint before this one was killed.
        set_aside: what could not be used, and where it is now; empty as a rule.
    """

    generation: int
    changed: float
    pieces: dict[str, int]
    after_kill: bool
    set_aside: str = ""

    def __str__(self) -> str:
        if self.generation == 0:
            text = "new state"
        else:
            when = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            counts = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in sorted(self.pieces.items()))
            ended = "was killed" if self.after_kill else "had stopped in order"
            text = f"state {self.generation} of {when} ({counts or 'empty'}); the endpoint before {ended}"
        return f"{text}; {self.set_aside}" if self.set_aside else text


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
        self._digests: dict[PieceId, bytes] = {}
        self._files: dict[PieceId, tuple[str, ...]] = {}
        self._not_kept: set[str] = set()
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
            self._digests.clear()
            self._files.clear()
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
        self._file = StateFile(folder / _FILE, moto.__version__)

    def _close_file(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    # Reading

    def _restore(self) -> Restored:
        kinds: Counter[str] = Counter()
        streams: dict[str, Any] = {}
        for piece, stored in self._file.pieces():
            kinds[piece.id.kind] += 1
            self._digests[piece.id] = stored
            self._files[piece.id] = piece.files
            for name in piece.files:
                self.blobs.keep(name, 1)
            self._restore_piece(piece, streams)
        unused = self.blobs.sweep()
        if unused:
            logger.info("removed %d files of objects that no longer are", unused)
        return Restored(self._file.generation, self._file.changed, dict(kinds), not self._file.was_closed)

    def _restore_piece(self, piece: Piece, streams: dict[str, Any]) -> None:
        kind, owner = piece.id.kind, piece.id.owner
        if kind == _DELIVERY:
            self.undelivered[piece.id.name] = piece.data or b""
            return
        value = load(piece.data or b"", _live_backend, self._adopt, streams.__getitem__)
        if kind == "log-stream":
            stream = LogStream.__new__(LogStream)
            stream.__dict__.update(value)
            streams[f"{owner}\n{piece.id.name}"] = stream
            LogEvent._event_id += len(stream.events)  # noqa: SLF001 - ids must go on where they were
        elif kind == "backend":
            service, account, region = owner.split("/")
            backend = _live_backend(service, account, region)
            restore_into(backend, value)
            if service == "logs":
                for group in backend.groups.values():
                    for stream in group.streams.values():
                        stream.log_group = group
        elif kind == "bucket":
            _restore_bucket(owner, value)
        else:
            account, partition, name = owner.split("/")
            bucket = s3_backends[account][partition].buckets[name]
            if kind == "object":
                dict.__setitem__(bucket.keys, piece.id.name, value["versions"])
                s3_backends[account][partition].tagger.tags.update(value["tags"])
            else:
                dict.__setitem__(bucket.multiparts, piece.id.name, value)

    def _adopt(self, name: str) -> Any:
        try:
            return self.blobs.adopt(name)
        except FileNotFoundError as error:
            raise UnusableStateError(f"the file {name} of an object is missing") from error

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
                changes.backends = {name for name in changes.backends if not _is_only_read(name[0], change)}
                self._store(changes, deliveries)
            finally:
                if has_turn:
                    self._turn.release()

    def _store(self, changes: Changes, deliveries: Mapping[str, bytes] = MappingProxyType({})) -> None:
        with self._storing:
            self._write([*self._pieces(changes), *_delivery_pieces(deliveries)])

    def keep_deliveries(self, deliveries: Mapping[str, bytes]) -> None:
        """Store deliveries that no request of moto's caused."""
        with self._storing:
            self._write(list(_delivery_pieces(deliveries)))

    def forget_delivery(self, delivery_id: str) -> None:
        """Note that a delivery is done."""
        with self._storing:
            self._write([Piece(PieceId(_DELIVERY, "", delivery_id), None)])

    def _write(self, pieces: list[Piece]) -> None:
        changed: list[tuple[Piece, bytes]] = []
        for piece in pieces:
            if piece.data is None:
                if piece.id in self._digests:
                    changed.append((piece, b""))
                continue
            found = digest(piece.data)
            if self._digests.get(piece.id) != found:
                changed.append((piece, found))
        if not changed:
            self.blobs.remove_unused()
            return
        self._file.write(changed)
        for piece, found in changed:
            before = self._files.pop(piece.id, ())
            if piece.data is None:
                self._digests.pop(piece.id, None)
            else:
                self._digests[piece.id] = found
                self._files[piece.id] = piece.files
            for name in piece.files:
                self.blobs.keep(name, 1)
            for name in before:
                self.blobs.keep(name, -1)
                self.blobs.released(name)
        self.blobs.remove_unused()

    def _pieces(self, changes: Changes) -> Iterator[Piece]:
        for account, region, group_name, name in changes.log_streams:
            group = logs_backends[account][region].groups.get(group_name)
            stream = group.streams.get(name) if group is not None else None
            yield self._stream_piece(f"{account}/{region}", group_name, name, stream)
        for backend in sorted(changes.backends):
            yield from self._backend_pieces(*backend)
        for bucket in changes.buckets:
            yield from self._bucket_pieces(bucket)
        for bucket, key in changes.keys:
            yield self._object_piece(bucket, key)
        for bucket, upload_id in changes.uploads:
            found = _bucket(bucket)
            upload = found.multiparts.get(upload_id) if found is not None else None
            yield self._piece(PieceId("upload", "/".join(bucket), upload_id), upload)

    def _backend_pieces(self, service: str, account: str, region: str) -> Iterator[Piece]:
        try:
            backend = _live_backend(service, account, region)
        except (KeyError, ImportError):  # a region that is none, or a service without a backend of its own
            return
        if service == "logs":
            yield from self._streams_come_and_gone(backend, f"{account}/{region}")
        try:
            data = self._dump(backend.__dict__)
            if service not in _KNOWN_TO_LOAD:
                load(data.data, _live_backend, self._adopt)
        except (TypeError, AttributeError, pickle.PicklingError, UnknownStateError) as error:
            if service not in self._not_kept:
                self._not_kept.add(service)
                logger.warning("the state of %s is not kept over a restart: %s", service, error)
            return
        yield Piece(PieceId("backend", f"{service}/{account}/{region}"), data.data, tuple(data.files))

    def _streams_come_and_gone(self, backend: Any, owner: str) -> Iterator[Piece]:
        kept = {one.name for one in self._digests if one.kind == "log-stream" and one.owner == owner}
        for group in backend.groups.values():
            for name, stream in group.streams.items():
                piece_name = json.dumps([group.name, name])
                if piece_name not in kept:
                    yield self._stream_piece(owner, group.name, name, stream)
                kept.discard(piece_name)
        for piece_name in kept:
            yield Piece(PieceId("log-stream", owner, piece_name), None)

    def _stream_piece(self, owner: str, group: str, name: str, stream: Any) -> Piece:
        identity = PieceId("log-stream", owner, json.dumps([group, name]))
        state = {key: value for key, value in stream.__dict__.items() if key != "log_group"} if stream else None
        return self._piece(identity, state)

    def _bucket_pieces(self, name: BucketName) -> Iterator[Piece]:
        owner = "/".join(name)
        found = _bucket(name)
        identity = PieceId("bucket", owner)
        if found is None:
            for piece in [one for one in self._digests if one.owner == owner]:
                yield Piece(piece, None)
            yield Piece(identity, None)
            return
        state = {key: value for key, value in found.__dict__.items() if key not in ("keys", "multiparts")}
        tags = s3_backends[name[0]][name[1]].tagger.tags.get(found.arn)
        yield self._piece(identity, {"class": type(found), "state": state, "arn": found.arn, "tags": tags})

    def _object_piece(self, name: BucketName, key: str) -> Piece:
        identity = PieceId("object", "/".join(name), key)
        found = _bucket(name)
        versions = found.keys.getlist(key) if found is not None else None
        if not versions:
            return Piece(identity, None)
        tags = s3_backends[name[0]][name[1]].tagger.tags
        arns = [one.arn for one in versions if hasattr(one, "arn")]
        stored = {"versions": versions, "tags": {arn: tags[arn] for arn in arns if arn in tags}}
        return self._piece(identity, stored)

    def _piece(self, identity: PieceId, value: Any) -> Piece:
        if value is None:
            return Piece(identity, None)
        data = self._dump(value)
        return Piece(identity, data.data, tuple(data.files))

    def _dump(self, value: Any) -> Pickled:
        while True:
            try:
                return dump(value, _stream_name)
            except RuntimeError as error:
                # Another request has changed it meanwhile; that one waits to store it, too.
                if "during iteration" not in str(error):
                    raise

    def forget(self) -> None:
        """Store that moto has nothing any more: it was reset."""
        with self._storing:
            self._write([Piece(identity, None) for identity in list(self._digests)])

    def close(self) -> None:
        """Store what changed without a request, and note that the endpoint ended in order."""
        backends = {tuple(one.owner.split("/")) for one in self._digests if one.kind == "backend"}
        self._store(Changes(backends={(service, account, region) for service, account, region in backends}))
        self._file.mark(closed=True)
        self._file.close()


def _is_only_read(service: str, change: Change) -> bool:
    """Whether a request that touches a backend does not change what is stored as a whole of it."""
    if service in _ACCESS:
        # Every request looks there for whether it is allowed.
        return change.service not in (*_ACCESS, "cloudformation")
    return service == "logs" and change.operation in _PARTS_ONLY


def _delivery_pieces(deliveries: Mapping[str, bytes]) -> Iterator[Piece]:
    for delivery_id, data in deliveries.items():
        yield Piece(PieceId(_DELIVERY, "", delivery_id), data)


def _live_backend(service: str, account: str, region: str) -> Any:
    backends: Any = get_backend(service)
    return backends[account][region]


def _bucket(name: BucketName) -> Any:
    return s3_backends[name[0]][name[1]].buckets.get(name[2])


def _restore_bucket(owner: str, value: dict[str, Any]) -> None:
    account, partition, name = owner.split("/")
    bucket = value["class"].__new__(value["class"])
    bucket.__dict__.update(value["state"])
    tracking.track_restored(bucket)
    backend = s3_backends[account][partition]
    backend.buckets[name] = bucket
    s3_backends.bucket_accounts[name] = (partition, account)
    if value["tags"] is not None:
        backend.tagger.tags[value["arn"]] = value["tags"]


def _stream_name(obj: Any) -> str | None:
    if type(obj) is not LogStream:
        return None
    return f"{obj.account_id}/{obj.region}\n{json.dumps([obj.log_group.name, obj.log_stream_name])}"


def _require_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeStateError(
            f"{folder} is not the user's own with mode 700: its files are trusted, and others could change them. "
            f"Make it so (chmod 700 {folder}), or give the endpoint another --state-dir"
        )
