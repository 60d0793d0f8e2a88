"""The file of the pipeline store: set aside with a message when it cannot be read."""

from __future__ import annotations

import sqlite3

import pytest


def numbered(number):
    """Give a file another version; one without a number is of the first."""

    def change(file):
        database = sqlite3.connect(file)
        database.execute(f"PRAGMA user_version = {number}")
        database.close()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"no database" * 1000), id="not a database"),
        pytest.param(numbered(99), id="of a newer version"),
        pytest.param(numbered(0), id="from before versions"),
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
