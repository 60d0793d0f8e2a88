"""Credentials that act under a role: those of jobs and services, and those of STS.

The credentials of jobs expire with the endpoint, as jobs do; they are not stored.
"""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from moto.sts.models import AssumedRole, STSBackend, sts_backends

_TEMPORARY_KEY = "ASIA"
_PARTITION = "aws"
_CHARACTERS = string.ascii_uppercase + string.digits
_find_assumed_role = STSBackend.get_assumed_role_from_access_key


@dataclass(frozen=True)
class RoleSession:
    """A session under a role.

    Attributes:
        role_arn: of the role.
        name: of the session; ``SageMaker`` for what SageMaker assumes.
        source: the cause: a job's ARN, a service's name.
        policy: the session policy given to STS; empty if there is none.
    """

    role_arn: str
    name: str
    source: str
    policy: str = ""

    @property
    def account(self) -> str:
        """Twelve digits."""
        return self.role_arn.split(":")[4]

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """The ARN of the session, as in AWS's messages."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"


@dataclass(frozen=True)
class Credentials:
    """A key pair, with a token if it is temporary."""

    access_key: str
    secret_key: str
    token: str | None

    def variables(self) -> Mapping[str, str]:
        """Return them as the environment variables of AWS clients."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token or "",
        }


class Sessions:
    """The role sessions, by access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, RoleSession] = {}

    def open(self, session: RoleSession) -> Credentials:
        """Return new credentials, valid until :meth:`close`."""
        key = _TEMPORARY_KEY + "".join(secrets.choice(_CHARACTERS) for _ in range(16))
        with self._lock:
            self._known[key] = session
        return Credentials(key, secrets.token_urlsafe(30), secrets.token_urlsafe(60))

    def close(self, access_key: str) -> None:
        """Revoke credentials."""
        with self._lock:
            self._known.pop(access_key, None)

    def find(self, access_key: str) -> RoleSession | None:
        """Return the session of an access key; None if the key belongs to no role."""
        if not access_key.startswith(_TEMPORARY_KEY):
            return None
        with self._lock:
            known = self._known.get(access_key)
        return known or _from_sts(access_key)

    def opened_here(self, access_key: str) -> RoleSession | None:
        """Return the session of an access key, without those of STS."""
        with self._lock:
            return self._known.get(access_key)


def _from_sts(access_key: str) -> RoleSession | None:
    for account in list(sts_backends):
        found: AssumedRole | None = _find_assumed_role(sts_backends[account][_PARTITION], access_key)
        if found is not None:
            return RoleSession(found.role_arn, found.session_name, "sts:AssumeRole", found.policy or "")
    return None


def answer_caller_identity(sessions: Sessions) -> None:
    """Make GetCallerIdentity know the credentials of jobs, for the whole process."""

    def find(backend: STSBackend, access_key_id: str) -> Any:
        session = sessions.opened_here(access_key_id)
        if session is None:
            return _find_assumed_role(backend, access_key_id)
        return SimpleNamespace(user_id=f"AROA:{session.name}", arn=session.arn, account_id=session.account)

    STSBackend.get_assumed_role_from_access_key = find
