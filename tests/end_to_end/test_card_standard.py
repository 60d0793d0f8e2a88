"""An organisation's standard for model cards, on both data sets: refused before a run, refused by a run, and met."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest

from analysis.runtime.project import NAME
from pipeline.datasets.shipped import declaration_file, declared, standard_file
from pipeline.demo.sample import write_sample

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cards")]

#: What only a run knows: no commit looks like this.
FIELD = """
[fields.release]
title = "Release"
owner = "pipeline"
place = "additional_information.custom_details.Git commit"
pattern = "release-[0-9]+"
"""
STANDARD = f"{NAME.upper()}_REGISTRY__CARD_STANDARD"


@pytest.fixture(scope="module", params=["bike_sharing", "red_wine"])
def dataset(request, tmp_path_factory) -> Path:
    """Return a declaration that has the bank's fields: the shipped one, or the other with the same fields."""
    path = declaration_file(request.param)
    if request.param == "bike_sharing":
        return path
    fields = declaration_file("bike_sharing").read_text("utf-8").partition("[card.fields]")[2]
    more = 'model_owner = "Cellar master (example)"\nline_of_business = "Cellar"\n'
    copy = tmp_path_factory.mktemp("declarations") / "wine.toml"
    copy.write_text(f"{path.read_text('utf-8')}{more}\n[card.fields]{fields}", "utf-8")
    return copy


@pytest.fixture(scope="module")
def table(dataset, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    return write_sample(path, dataset=declared(str(dataset))).read_bytes()


@pytest.fixture(scope="module")
def strict(tmp_path_factory) -> Path:
    """Return the bank's standard with one more field."""
    path = tmp_path_factory.mktemp("standards") / "strict.toml"
    path.write_text(standard_file("model_risk").read_text("utf-8") + FIELD, "utf-8")
    return path


@pytest.fixture(scope="module")
def deployed_with(deploy_declaration, dataset, strict):
    with mock.patch.dict(os.environ, {STANDARD: str(strict)}), deploy_declaration(dataset) as environment:
        yield environment


def test_a_declaration_that_lacks_a_field_is_refused_before_anything_runs(deployed_with, dataset, tmp_path):
    text = dataset.read_text("utf-8")
    bare = tmp_path / "bare.toml"
    bare.write_text(text.replace('model_id = "MRM-0275"\n', "").replace('tier = "3"', 'tier = "none"'), "utf-8")
    for words in (("validate", "--env", "local"), ("plan",), ("deploy",)):
        done = deployed_with.command(*words, check=False, variables={f"{NAME.upper()}_DATASET": str(bare)})
        assert done.returncode == 7, done.stdout
        assert "2 fields of it" in done.stderr
        assert "model_id (Model inventory number; model owner): it is missing" in done.stderr
        assert "tier (Model tier; model owner): 'none' is none of 1, 2, 3" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_run_that_does_not_meet_the_standard_registers_nothing(deployed_with, table):
    execution = deployed_with.run("raw/training/sample.csv", table)
    assert execution.status == "Failed"
    assert "does not meet Model risk management standard" in execution.explanation
    assert "release (Release; pipeline)" in execution.explanation
    assert {step.name: step.status for step in execution.steps}["RegisterModel"] == "NotRun"
    assert deployed_with.model_packages() == []
    assert deployed_with.predictions() == {}


def test_a_run_that_meets_it_registers_a_version_with_the_fields(deployed_with, table):
    with_fields = {STANDARD: "model_risk"}
    deployed_with.command("deploy", variables=with_fields)
    execution = deployed_with.run("raw/training/again.csv", table)
    assert execution.status == "Succeeded", execution.explanation
    (package,) = deployed_with.model_packages()
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    details = card["additional_information"]["custom_details"]
    assert details["Model inventory number"] == "MRM-0275"
    assert details["Standard"].startswith("Model risk management standard")
    assert package["ModelCard"]["ModelCardStatus"] == "PendingReview"
    assert package["CustomerMetadataProperties"]["scores-new-rows"] == "yes"
    assert package["CustomerMetadataProperties"]["git-commit"] == details["Git commit"]
    assert package["CustomerMetadataProperties"]["data-sha256"] == details["Data SHA-256"]


def test_what_a_version_refers_to_is_there(deployed_with):
    (package,) = deployed_with.model_packages()
    quality, data = (package["DriftCheckBaselines"][name] for name in ("ModelQuality", "ModelDataQuality"))
    sources = [*quality.values(), *data.values(), *package["ModelMetrics"]["ModelDataQuality"].values()]
    uris = [source["S3Uri"] for source in sources]
    bucket = f"s3://{deployed_with.settings.artifacts_bucket}/"
    for uri in (*uris, package["SamplePayloadUrl"]):
        assert uri.startswith(f"{bucket}models/")
        assert deployed_with.read(bucket[5:-1], uri.removeprefix(bucket))
