"""What AWS accepts as bucket names, KMS keys, log retention and tags."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

#: ``retentionInDays`` of CloudWatch Logs' PutRetentionPolicy.
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# "General purpose bucket naming rules" (Amazon S3, user guide).
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

_KEY = re.compile(
    r"arn:aws[a-z-]*:kms:[^:]+:[^:]+:(key|alias)/.+"
    r"|alias/.+"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|mrk-[0-9a-f]{32}"
)

# The strictest of the services that get tags: IAM, S3 and SageMaker agree.
_TAG_COUNT, _TAG_KEY_LENGTH, _TAG_VALUE_LENGTH = 50, 128, 256
_TAG_MARKS = frozenset("_.:/=+-@")


def bucket_name_problem(name: str) -> str:
    """Why S3 takes no such bucket name; empty where it does."""
    if not _BUCKET_NAME.fullmatch(name):
        return (
            "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and a letter or digit at each end"
        )
    if ".." in name or _IP_ADDRESS.fullmatch(name):
        return "a bucket name has no two dots in a row and is no IP address"
    for part in _RESERVED_PREFIXES:
        if name.startswith(part):
            return f"bucket names that begin with {part} are S3's own"
    for part in _RESERVED_SUFFIXES:
        if name.endswith(part):
            return f"bucket names that end in {part} are S3's own"
    return ""


def key_problem(key: str) -> str:
    """Why a text names no KMS key that can be used here; empty where it does."""
    if not _KEY.fullmatch(key):
        return "a key is named by its id, its ARN, alias/NAME or an alias's ARN"
    if "alias/aws/" in key:
        return "keys of AWS services (alias/aws/…) have policies that nobody can change; EventBridge could not use one"
    return ""


def tag_problems(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of the tags that AWS refuses on some kind of resource."""
    if len(tags) > _TAG_COUNT:
        yield list(tags)[_TAG_COUNT], f"a resource has {_TAG_COUNT} tags at most, and this would be one of {len(tags)}"
    seen: dict[str, str] = {}
    for key, value in tags.items():
        if not 1 <= len(key) <= _TAG_KEY_LENGTH:
            yield key, f"a tag's key has 1 to {_TAG_KEY_LENGTH} characters"
        elif key.lower().startswith("aws:"):
            yield key, "tags that begin with aws: are AWS's own"
        elif odd := _odd_characters(key):
            yield key, f"a tag's key takes letters, digits, spaces and {''.join(sorted(_TAG_MARKS))}, and not {odd}"
        # IAM looks at no case, and calls the second of two a duplicate.
        elif key.lower() in seen:
            yield key, f"it differs from {seen[key.lower()]} in nothing but case, which IAM does not take"
        elif len(value) > _TAG_VALUE_LENGTH:
            yield key, f"a tag's value has {_TAG_VALUE_LENGTH} characters at most"
        elif odd := _odd_characters(value):
            yield key, f"a tag's value takes letters, digits, spaces and {''.join(sorted(_TAG_MARKS))}, and not {odd}"
        seen.setdefault(key.lower(), key)


def _odd_characters(text: str) -> str:
    """Characters that are neither letters, separators nor numbers of any script, nor one of the marks."""
    odd = {char for char in text if unicodedata.category(char)[0] not in "LZN" and char not in _TAG_MARKS}
    return " ".join(sorted(odd))
