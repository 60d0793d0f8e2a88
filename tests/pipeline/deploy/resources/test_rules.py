"""Which uploads start a pipeline: the rule and what is said of keys agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.services.events.patterns import matches
from pipeline.deploy.resources.rules import upload_rule
from pipeline.settings.contract import FLOWS, flow_of, starts_a_pipeline
from pipeline.settings.environment import load_settings

SETTINGS = load_settings("dev")
RULES = {flow: upload_rule(SETTINGS, flow) for flow in FLOWS}


def started(key: str) -> list[str]:
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": SETTINGS.raw_bucket}, "object": {"key": key, "version-id": "1"}},
    }
    return [flow for flow, rule in RULES.items() if matches(dict(rule.pattern), event)]


@pytest.mark.parametrize("end", [".csv", ".CSV", ".csv.gz", ".CSV.GZ"])
def test_uploads_start_their_flow(end: str) -> None:
    assert started(f"raw/training/2024/a b{end}") == ["training"]
    assert started(f"raw/scoring/next{end}") == ["scoring"]
    assert started(f"raw/next{end}") == []


@pytest.mark.parametrize("name", ["a.csv.zip", "a.gz", "a.txt", "csv", "a.csv/", "a.xcsv.bak"])
def test_other_files_start_nothing(name: str) -> None:
    assert started(f"raw/training/{name}") == []


@given(st.text(alphabet=".csvgzCSVGZ/x", max_size=14), st.sampled_from(["raw/training/", "raw/scoring/", "raw/"]))
def test_the_rules_and_the_messages_agree(name: str, folder: str) -> None:
    key = folder + name
    assert started(key) == ([flow_of(key)] if starts_a_pipeline(key) else [])
