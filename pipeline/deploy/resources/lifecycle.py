"""Lifecycle rules of a bucket: ours by their ids, beside those of others."""

from collections.abc import Iterable, Mapping
from typing import Any

Rule = Mapping[str, Any]
#: Days for which a version stays after it has been deleted or replaced, and parts of an upload that nobody finishes.
_GRACE_DAYS = 7


def expiry(name: str, prefix: str, days: int) -> Rule:
    """Return the rule that deletes objects some days after they were written, and then their versions.

    S3 removes the delete markers of a rule with days by itself (``Expiration`` of LifecycleRule, S3 API reference).
    """
    return {
        "ID": name,
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _GRACE_DAYS},
    }


def unfinished_uploads(name: str) -> Rule:
    """Return the rule that removes the parts of multipart uploads that were not completed."""
    parts = {"DaysAfterInitiation": _GRACE_DAYS}
    return {"ID": name, "Filter": {"Prefix": ""}, "Status": "Enabled", "AbortIncompleteMultipartUpload": parts}


def by_id(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Return rules by their ids, however a service orders them."""
    return {rule["ID"]: dict(rule) for rule in sorted(rules, key=lambda rule: str(rule["ID"]))}
