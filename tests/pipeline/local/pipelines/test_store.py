"""The file that remembers pipelines: what it holds over an opening, and what happens when it cannot be read."""

from __future__ import annotations

import sqlite3

import pytest


def raise_version(file):
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"no database" * 1000), id="not a database"),
        pytest.param(raise_version, id="of a newer version"),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside_and_said_so(open_service, build, tmp_path, caplog, damage):
    service = open_service()
    service.catalog.create(
        {"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": build.definition(build.fail("F", "x"))}
    )
    service.close()
    damage(tmp_path / "state" / "pipelines.sqlite3")

    reopened = open_service()

    assert reopened.catalog.list_pipelines({})["PipelineSummaries"] == []
    [aside] = (tmp_path / "state").glob("pipelines.sqlite3.set-aside-*")
    assert f"is set aside as {aside}" in caplog.text


def test_a_file_from_before_versions_is_read(open_service, build, tmp_path):
    service = open_service()
    service.catalog.create(
        {"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": build.definition(build.fail("F", "x"))}
    )
    service.close()
    database = sqlite3.connect(tmp_path / "state" / "pipelines.sqlite3")
    database.execute("PRAGMA user_version = 0")
    database.close()

    [found] = open_service().catalog.list_pipelines({})["PipelineSummaries"]
    assert found["PipelineName"] == "p"
