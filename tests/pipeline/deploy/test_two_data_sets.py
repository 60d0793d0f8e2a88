"""Two data sets in one account: each is deployed and removed as if it were alone."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from analysis.features.labels import label_names
from analysis.features.stored import stored_groups
from analysis.runtime.names import PREDICTED, REALISED
from pipeline.aws.clients import Aws
from pipeline.datasets.shipped import dataset_names, declared
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.resource import Action, Removal
from pipeline.deploy.operations import deploy_environment, destroy_environment, plan_environment
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.deploy.resources.prediction_tables import PREDICTION_COLUMNS, LatestView, PredictionTable
from pipeline.deploy.resources.realised_tables import RealisedTable
from pipeline.deploy.stack import NO_STEPS, resources
from pipeline.settings.contract import FLOWS, JOB_LOG_GROUPS
from pipeline.settings.environment import Settings, load_settings
from pipeline.step_code import Lock

pytestmark = pytest.mark.xdist_group("deploy")
QUIET = Console(quiet=True)
BUNDLE = Bundle("ab" * 32, b"archive", b"launcher", b"functions", Lock.of(""))


def settings_of(name: str, **changes: object) -> Settings:
    return load_settings("local").model_copy(update={"dataset": name, **changes})


def stack(settings: Settings) -> list:
    return resources(settings, BUNDLE, dict.fromkeys(FLOWS, NO_STEPS))


def own(things: list) -> set[tuple[str, str, str]]:
    """Return what AWS knows each by: code lies in a bucket, under the hash of its content."""
    return {
        (thing.kind, getattr(thing, "bucket", ""), thing.name) for thing in things if thing.name not in JOB_LOG_GROUPS
    }


@pytest.mark.parametrize("project", [None, "acme"])
def test_they_have_no_resource_in_common_but_the_logs_of_all_jobs(project: str | None) -> None:
    wine, bikes = (stack(settings_of(name, project=project)) for name in ("red_wine", "bike_sharing"))
    assert own(wine).isdisjoint(own(bikes))
    assert len(own(wine)) == len(wine) - len(JOB_LOG_GROUPS)


def test_nothing_of_the_other_data_set_is_named_anywhere() -> None:
    for name, other in (("red_wine", "bikeshare"), ("bike_sharing", "redwine")):
        for thing in stack(settings_of(name)):
            assert not re.search(f"{other}[-_]", repr(thing))


@pytest.mark.parametrize("name", dataset_names())
def test_feature_groups_and_tables_are_what_is_declared(name: str) -> None:
    things = stack(settings_of(name))
    dataset = declared(name)
    groups = [thing for thing in things if isinstance(thing, FeatureGroup)]
    stored = stored_groups(dataset)
    assert [group.name.rpartition("-")[2] for group in groups] == ["inputs", "outcomes"]
    for group, one in zip(groups, (stored.inputs, stored.outcomes), strict=True):
        assert (dict(group.features), group.record_identifier) == (one.types, one.identifier)
        # CreateFeatureGroup's pattern, and at most 2,500 of them.
        assert all(re.fullmatch(r"[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}", feature) for feature in group.features)
    tables = [thing for thing in things if type(thing) is PredictionTable]
    realised = [thing for thing in things if isinstance(thing, RealisedTable)]
    views = [thing for thing in things if isinstance(thing, LatestView)]
    assert [table.profile for table in tables] == list(dataset.profiles)
    assert [table.name for table in realised] == [one.name.replace(".predictions_", ".realised_") for one in tables]
    for table in realised:
        columns = [column["Name"] for column in table.desired()["columns"]]
        assert columns == [*label_names(dataset).values(), *REALISED]
        assert len({name.casefold() for name in (*columns, "dt")}) == len(columns) + 1
        assert table.desired()["location"].endswith(f"/realised/{table.profile}/")
    assert [view.of for view in views] == [table.name for table in tables]
    # Athena takes these names without quotes.
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", one.name) for one in (*tables, *views))
    assert len({one.name for one in (*tables, *views)}) == 2 * len(dataset.profiles)
    for table, view in zip(tables, views, strict=True):
        columns = [column["Name"] for column in table.desired()["columns"]]
        assert columns == [*label_names(dataset).values(), *PREDICTED]
        # Athena ignores case, and the partition is a column, too.
        assert len({column.lower() for column in [*columns, "dt"]}) == len(columns) + 1
        assert [column["Name"] for column in view.desired()["columns"]] == [*columns, "dt"]
    assert tuple(PREDICTION_COLUMNS) == PREDICTED


def test_no_lifecycle_rule_expires_the_offline_store() -> None:
    things = stack(settings_of("bike_sharing"))
    (artifacts,) = [thing for thing in things if isinstance(thing, Bucket) and "-artifacts-" in thing.name]
    (place, *_) = [thing.offline_uri for thing in things if isinstance(thing, FeatureGroup)]
    assert place == f"s3://{artifacts.name}/feature-store"
    prefixes = [rule["Filter"]["Prefix"] for rule in artifacts.rules if "Expiration" in rule]
    assert prefixes
    assert not any("feature-store/".startswith(prefix) for prefix in prefixes)


def test_wine_has_records_and_lines_and_bikes_have_dates() -> None:
    wine, bikes = (
        [thing for thing in stack(settings_of(name)) if isinstance(thing, (FeatureGroup, PredictionTable))]
        for name in ("red_wine", "bike_sharing")
    )
    assert [wine[0].record_identifier, bikes[0].record_identifier] == ["record_id", "dteday"]
    assert [wine[2].labels, bikes[2].labels] == [("record", "line"), ("date",)]
    assert wine[2].description == "Predicted quality (profile forecast), one line a wine, with 95 % prediction interval"
    assert "fixed_acidity" in wine[0].features


@pytest.mark.timeout(900)
def test_each_is_deployed_and_removed_as_if_it_were_alone(aws) -> None:
    stacks = [settings_of("red_wine", environment="two"), settings_of("bike_sharing", environment="two")]
    clients = [Aws(settings) for settings in stacks]
    for settings, client in zip(stacks, clients, strict=True):
        deploy_environment(settings, client, QUIET)
    for settings, client in zip(stacks, clients, strict=True):
        assert plan_environment(settings, client).is_empty
    came_of = destroy_environment(stacks[0], clients[0], QUIET, keep_data=False)
    assert {removal for _, removal in came_of} <= {Removal.REMOVED, Removal.NOT_OURS, Removal.ABSENT}
    # It is looked for in case the settings once had a schedule, or alarms.
    never_made = {stacks[0].scheduler_role_name, stacks[0].schedule_name, *map(stacks[0].coverage_alarm_name, FLOWS)}
    assert {thing.name for thing, removal in came_of if removal is Removal.ABSENT} == never_made
    left = [change for change in plan_environment(stacks[1], clients[1]).changes if change.action is not Action.KEEP]
    # The first that deploys has made those for all.
    assert {change.resource.name for change in left} <= set(JOB_LOG_GROUPS)
    destroy_environment(stacks[1], clients[1], QUIET, keep_data=False)
