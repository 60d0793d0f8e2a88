"""S3 as pieces of the state: buckets, the versions of each key, and open uploads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.s3.models import s3_backends

from localmaker.state import tracking
from localmaker.state.codec import Codec
from localmaker.state.store import Piece, PieceId
from localmaker.state.stored import StoredPieces
from localmaker.state.tracking import BucketName

BUCKET, OBJECT, UPLOAD = "bucket", "object", "upload"
KINDS = {BUCKET, OBJECT, UPLOAD}


class Buckets:
    """Makes pieces of buckets and of what is in them.

    Args:
        codec: writes and reads them.
        stored: what is in the state already.
    """

    def __init__(self, codec: Codec, stored: StoredPieces) -> None:
        self._codec = codec
        self._stored = stored

    def bucket(self, name: BucketName) -> Iterator[Piece]:
        """The piece of a bucket; those of all that was in it where it is gone."""
        owner = "/".join(name)
        found = _bucket(name)
        identity = PieceId(BUCKET, owner)
        if found is None:
            for gone in self._stored.of_owner(owner):
                yield Piece(gone, None)
            return
        state = {key: value for key, value in found.__dict__.items() if key not in ("keys", "multiparts")}
        tags = s3_backends[name[0]][name[1]].tagger.tags.get(found.arn)
        yield self._codec.piece(identity, {"class": type(found), "state": state, "arn": found.arn, "tags": tags})

    def object(self, name: BucketName, key: str) -> Piece:
        """The piece of all versions of a key."""
        identity = PieceId(OBJECT, "/".join(name), key)
        found = _bucket(name)
        versions = found.keys.getlist(key) if found is not None else None
        if not versions:
            return Piece(identity, None)
        tags = s3_backends[name[0]][name[1]].tagger.tags
        arns = [one.arn for one in versions if hasattr(one, "arn")]
        stored = {"versions": versions, "tags": {arn: tags[arn] for arn in arns if arn in tags}}
        return self._codec.piece(identity, stored)

    def upload(self, name: BucketName, upload_id: str) -> Piece:
        """The piece of an upload in parts that has not ended."""
        found = _bucket(name)
        upload = found.multiparts.get(upload_id) if found is not None else None
        return self._codec.piece(PieceId(UPLOAD, "/".join(name), upload_id), upload)

    def restore(self, piece: Piece) -> None:
        """Give moto what a piece holds."""
        value = self._codec.value(piece)
        account, partition, name = piece.id.owner.split("/")
        if piece.id.kind == BUCKET:
            _restore_bucket(account, partition, name, value)
            return
        bucket = s3_backends[account][partition].buckets[name]
        if piece.id.kind == OBJECT:
            dict.__setitem__(bucket.keys, piece.id.name, value["versions"])
            s3_backends[account][partition].tagger.tags.update(value["tags"])
        else:
            dict.__setitem__(bucket.multiparts, piece.id.name, value)


def _bucket(name: BucketName) -> Any:
    return s3_backends[name[0]][name[1]].buckets.get(name[2])


def _restore_bucket(account: str, partition: str, name: str, value: dict[str, Any]) -> None:
    bucket = value["class"].__new__(value["class"])
    bucket.__dict__.update(value["state"])
    tracking.track_restored(bucket)
    backend = s3_backends[account][partition]
    backend.buckets[name] = bucket
    s3_backends.bucket_accounts[name] = (partition, account)
    if value["tags"] is not None:
        backend.tagger.tags[value["arn"]] = value["tags"]
