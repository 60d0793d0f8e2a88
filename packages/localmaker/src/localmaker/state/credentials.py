"""Credentials, and the file with those of the endpoint's administrator. Imports nothing slow: commands read it."""

from __future__ import annotations

import configparser
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localmaker.errors import UnsafeStateError

CREDENTIALS_NAME = "credentials"
_CHARACTERS = string.ascii_uppercase + string.digits
_SECTION = "default"
_OTHERS = 0o077


@dataclass(frozen=True)
class Credentials:
    """A key pair, with a token if it is temporary."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def variables(self) -> Mapping[str, str]:
        """Return them as the environment variables of AWS clients."""
        token = {"AWS_SESSION_TOKEN": self.token} if self.token else {}
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key, **token}


#: What the endpoint, its jobs and the tests sign with where any credentials will do.
ANY = Credentials("local", "local")


def new_access_key(prefix: str) -> str:
    """Return a random access key id of 20 characters ("IAM identifiers" in the IAM user guide)."""
    return prefix + "".join(secrets.choice(_CHARACTERS) for _ in range(20 - len(prefix)))


def administrator_of(state_dir: Path) -> Credentials:
    """Return the credentials that may do everything on a state directory, and create them if there are none.

    They are kept in a file in the format of AWS's own credentials files, which only its owner can read.

    Raises:
        UnsafeStateError: the file can be read by other users, or holds no credentials.
    """
    path = state_dir / CREDENTIALS_NAME
    if not path.exists():
        _write(path, Credentials(new_access_key("LOCAL"), secrets.token_urlsafe(30)))
    if path.stat().st_mode & _OTHERS or path.stat().st_uid != os.geteuid():
        raise UnsafeStateError(f"other users can read {path}; delete it, and the next start makes new credentials")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser[_SECTION]
        return Credentials(section["aws_access_key_id"], section["aws_secret_access_key"])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise UnsafeStateError(f"{path} holds no credentials; delete it, and the next start makes new ones") from error


def _write(path: Path, credentials: Credentials) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(
            f"[{_SECTION}]\naws_access_key_id = {credentials.access_key}\n"
            f"aws_secret_access_key = {credentials.secret_key}\n"
        )
    temporary.replace(path)
