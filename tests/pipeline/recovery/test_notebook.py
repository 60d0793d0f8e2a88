"""A notebook that was connected to a Git server is connected again, or it is said how."""

from __future__ import annotations

import pytest

from pipeline.recovery.backup import Backup
from pipeline.recovery.manifest import text_of
from pipeline.recovery.notebook import is_of_server, reconnect
from pipeline.recovery.places import Folder
from pipeline.source_control.connection import connect, current, wanted
from pipeline.source_control.credential import Credential
from tests.git_server import git_server

SECRET = "s3cr3t-t0ken-of-a-notebook"


def test_it_is_connected_again_with_the_credential_and_not_without(aws, elsewhere, tmp_path) -> None:
    (tmp_path / "served").mkdir()
    with git_server(tmp_path / "served", ("x-access-token", SECRET)) as server:
        url = server.create("work")
        server.commit("work", {"README.md": "Work"})
        connect(aws, wanted(aws.settings, url, notebook="adas", volume_gib=7), Credential("x-access-token", SECRET))
        manifest = Backup(aws, Folder(tmp_path / "backup"), lambda _: None).make(every_version=False, features=False)
        connection = manifest.manifest.connection
        assert connection is not None
        assert (connection.url, connection.notebook, connection.volume_gib) == (url, "adas", 7)
        assert SECRET.encode() not in text_of(manifest.manifest)
        why, command = reconnect(elsewhere, connection, None, "local") or ("", "")
        assert "no credential yet" in why
        assert command.startswith(f"python scripts/connect_github.py {url} --env local --branch main --notebook adas")
        assert (
            "did not take the credential"
            in (reconnect(elsewhere, connection, Credential("x-access-token", "wrong"), "local") or ("",))[0]
        )
        assert current(elsewhere) is None
        assert reconnect(elsewhere, connection, Credential("x-access-token", SECRET), "local") is None
        assert reconnect(elsewhere, connection, None, "local") is None
    found = current(elsewhere)
    assert found is not None
    assert (found.url, found.notebook, found.volume_gib) == (url, "adas", 7)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://github.com/acme/other.git", True), ("https://GitHub.com/a/b", True),
        ("git@github.com:acme/bikes.git", True), ("ssh://git@github.com/acme/bikes.git", True),
        ("https://github.com.example.org/a/b", False), ("https://github.com:8443/a/b", False),
        ("https://git.example.org/acme/bikes.git", False), ("/home/ada/bikes", False), ("https://[x", False),
    ],
)  # fmt: skip
def test_the_credential_of_the_repository_is_for_its_server_only(url, same) -> None:
    assert is_of_server("https://github.com/acme/bikes.git", url) is same
    assert not is_of_server("", url)
