"""The access keys that the endpoint has given out: those of jobs and services, of STS, and of IAM's users.

The credentials of jobs expire with the endpoint, as jobs do; they are not stored.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, STSBackend, sts_backends

from localmaker.state.credentials import Credentials, new_access_key

_TEMPORARY_KEY = "ASIA"
_PARTITION = "aws"
_REMEMBERED = 10_000
_find_assumed_role = STSBackend.get_assumed_role_from_access_key


@dataclass(frozen=True)
class Principal:
    """A session under a role, or a user.

    Attributes:
        identity_arn: of the role or user, whose policies say what it may do.
        name: of the session, ``SageMaker`` for what SageMaker assumes; or of the user.
        source: the cause: a job's ARN, a service's name.
        policy: the session policy given to STS; empty if there is none.
    """

    identity_arn: str
    name: str
    source: str
    policy: str = ""

    @property
    def account(self) -> str:
        """Twelve digits."""
        return self.identity_arn.split(":")[4]

    @property
    def is_user(self) -> bool:
        """Whether it is a user and not a session."""
        return ":user/" in self.identity_arn

    @property
    def arn(self) -> str:
        """The ARN of the user or session, as in AWS's messages."""
        if self.is_user:
            return self.identity_arn
        return f"arn:aws:sts::{self.account}:assumed-role/{self.identity_arn.rpartition('/')[2]}/{self.name}"


@dataclass(frozen=True)
class Key:
    """An access key that the endpoint has given out.

    Attributes:
        credentials: to check a signature with.
        principal: whose key it is; None for the administrator, who may do everything.
        expired: whether it was valid once.
    """

    credentials: Credentials = field(repr=False)
    principal: Principal | None
    expired: bool = False


class Sessions:
    """The role sessions, by access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Key] = {}
        self._ended: deque[Key] = deque(maxlen=_REMEMBERED)

    def open(self, principal: Principal) -> Credentials:
        """Return new credentials, valid until :meth:`close`."""
        credentials = Credentials(new_access_key(_TEMPORARY_KEY), secrets.token_urlsafe(30), secrets.token_urlsafe(60))
        with self._lock:
            self._known[credentials.access_key] = Key(credentials, principal)
        return credentials

    def close(self, access_key: str) -> None:
        """Revoke credentials."""
        with self._lock:
            ended = self._known.pop(access_key, None)
            if ended is not None:
                self._ended.append(Key(ended.credentials, ended.principal, expired=True))

    def find(self, access_key: str) -> Principal | None:
        """Return the session of an access key; None if the key belongs to no role."""
        if not access_key.startswith(_TEMPORARY_KEY):
            return None
        key = self.opened_here(access_key) or _from_sts(access_key)
        return key.principal if key is not None else None

    def key(self, access_key: str) -> Key | None:
        """Return what is known of an access key, also if it has expired; None if it was never given out."""
        if not access_key.startswith(_TEMPORARY_KEY):
            return _from_iam(access_key)
        return self.opened_here(access_key) or _from_sts(access_key) or self._ended_here(access_key)

    def opened_here(self, access_key: str) -> Key | None:
        """Return a key of a session, without those of STS."""
        with self._lock:
            return self._known.get(access_key)

    def _ended_here(self, access_key: str) -> Key | None:
        with self._lock:
            return next((one for one in self._ended if one.credentials.access_key == access_key), None)


def _from_sts(access_key: str) -> Key | None:
    for account in list(sts_backends):
        found: AssumedRole | None = _find_assumed_role(sts_backends[account][_PARTITION], access_key)
        if found is not None:
            principal = Principal(found.role_arn, found.session_name, "sts:AssumeRole", found.policy or "")
            credentials = Credentials(access_key, found.secret_access_key, found.session_token)
            # moto's times are in UTC, and have no zone.
            return Key(credentials, principal, found.expiration.replace(tzinfo=UTC) <= datetime.now(UTC))
    return None


def _from_iam(access_key: str) -> Key | None:
    for user, key in _keys_of_users():
        if key.access_key_id == access_key and key.status == "Active":
            return Key(Credentials(access_key, key.secret_access_key), Principal(user.arn, user.name, "iam:AccessKey"))
    return None


def _keys_of_users() -> Iterator[tuple[Any, Any]]:
    for account in list(iam_backends):
        for user in list(iam_backends[account][_PARTITION].users.values()):
            yield from ((user, key) for key in list(user.access_keys))


def answer_caller_identity(sessions: Sessions) -> None:
    """Make GetCallerIdentity know the credentials of jobs, for the whole process."""

    def find(backend: STSBackend, access_key_id: str) -> Any:
        key = sessions.opened_here(access_key_id)
        if key is None or key.principal is None:
            return _find_assumed_role(backend, access_key_id)
        principal = key.principal
        return SimpleNamespace(user_id=f"AROA:{principal.name}", arn=principal.arn, account_id=principal.account)

    STSBackend.get_assumed_role_from_access_key = find
