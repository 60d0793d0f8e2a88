"""The template on a table that lacks what both shipped ones have; in a file of its own, it runs beside them."""

from __future__ import annotations

import pytest

from localmaker import daemon
from scripts.lib.notebooks import execute
from tests.notebooks.executed import SECONDS, TEMPLATE, Executed, blemishes, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PLAIN = """
name = "plain"
title = "Plain"
description = "A table without a time, a key, categories, bins or published figures."
source = "Generated"
target = "y"
repeated_rows = "keep"

[words]
row = { one = "thing", many = "things" }
target = "y"
unit = { one = "unit", many = "units" }
use = "None."

[columns.a]
kind = "measure"
minimum = 0
maximum = 10

[columns.b]
kind = "measure"
minimum = 0
maximum = 10

[columns.y]
kind = "measure"

[profiles.only]
description = "Both."

[gate]
minimum_r_squared = 0.1
minimum_rows = 60
"""


def test_a_table_of_another_declaration(tmp_path):
    """It has neither time nor key, no category, no bins, and nothing was published of it."""
    declaration = tmp_path / "plain.toml"
    declaration.write_text(PLAIN, encoding="utf-8")
    state = tmp_path / "localmaker"
    place = {"XDG_STATE_HOME": str(tmp_path), "BIKESHARE_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    try:
        done = Executed(execute(TEMPLATE, variables={"DATASET": str(declaration), **place}, timeout=SECONDS))
    finally:
        if daemon.status(state) is not None:
            daemon.down(state)
    assert blemishes(done) == []
    assert done.printed("published-figures").startswith("Nobody has published figures")
    assert done.table("honest")["R-squared, rows to come"] == {"only": "no time column"}
    assert "Succeeded in " in done.printed("progress")
    assert len(done.pictures("predictions-figure")) == 1
