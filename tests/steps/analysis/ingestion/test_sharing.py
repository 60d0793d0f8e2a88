from __future__ import annotations

import json

import pytest

from analysis.ingestion.sharing import Share, read_share
from analysis.runtime.errors import SettingsError


def test_outside_a_job_all_rows_are_ours(tmp_path) -> None:
    assert read_share(tmp_path / "absent.json") == Share(0, 1)


def test_every_row_is_one_hosts(write) -> None:
    hosts = ["algo-2", "algo-10", "algo-1"]
    shares = [read_share(write(json.dumps({"current_host": host, "hosts": hosts}))) for host in hosts]
    assert all(sum(share.has(position) for share in shares) == 1 for position in range(20))
    assert [share.name for share in shares] == hosts


@pytest.mark.parametrize("document", [{}, {"current_host": "algo-3", "hosts": ["algo-1"]}, {"hosts": "algo-1"}])
def test_a_host_that_is_not_named_is_refused(write, document) -> None:
    with pytest.raises(SettingsError, match="does not name this host"):
        read_share(write(json.dumps(document)))
