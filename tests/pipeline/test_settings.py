"""Settings: where values come from, and what a wrong one says."""

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import environment_names, load_settings

MINIMAL = 'environment = "x"\naccount_id = "111122223333"\nregion = "eu-west-1"\n'


@pytest.fixture
def write(tmp_path):
    def _write(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.mark.parametrize("name", environment_names())
def test_every_shipped_environment_loads(name):
    assert load_settings(name).environment == name


def test_names_are_derived_from_environment_and_account(write):
    settings = load_settings(file=write(MINIMAL))
    assert settings.raw_bucket == "bikeshare-x-raw-111122223333"
    assert settings.training_pipeline_name == "bikeshare-x-training"
    assert settings.role_arn(settings.events_role_name) == "arn:aws:iam::111122223333:role/bikeshare-x-events"


def test_a_bucket_of_ones_own_is_taken_by_name(write):
    settings = load_settings(file=write(MINIMAL + '[buckets]\nraw = "uploads-of-ours"\n'))
    assert settings.raw_bucket == "uploads-of-ours"
    assert settings.artifacts_bucket == "bikeshare-x-artifacts-111122223333"


def test_environment_variables_win_over_the_file(write, monkeypatch):
    monkeypatch.setenv("BIKESHARE_QUALITY__MINIMUM_R_SQUARED", "0.55")
    settings = load_settings(file=write(MINIMAL + "[quality]\nminimum_r_squared = 0.9\n"))
    assert settings.quality.minimum_r_squared == 0.55


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1\n", "colour: unknown key"),
        ("[quality]\nminimum_r_sqared = 0.9\n", "quality.minimum_r_sqared: unknown key"),
        ("[quality]\nminimum_r_squared = 2\n", "quality.minimum_r_squared"),
        ("[analysis]\ntrain_fraction = 1\n", "analysis.train_fraction"),
        ('[instances]\ntraining = "m5.large"\n', "instances.training"),
        ('[network]\nsubnets = ["subnet-0a"]\n', "security_groups"),
        ("[instances]\nwarm_pool_seconds = 3601\n", "instances.warm_pool_seconds"),
        ("[instances]\nvolume_size_gib = 0\n", "instances.volume_size_gib"),
        ("[instances.steps.Train]\nvolume_size_gib = 16385\n", "instances.steps.Train.volume_size_gib"),
        ("[instances.steps.Transform]\ncount = 0\n", "instances.steps.Transform.count"),
        ("[instances.steps.Train]\ncount = 2\n", "Train.count: 2 instances would all do the same work"),
        ("[instances.steps.Transform]\nvolume_size_gib = 5\n", "Transform.volume_size_gib: a transform job's volume"),
        ("[instances.steps.Trian]\ncount = 1\n", "instances.steps.Trian"),
        ("[instances.steps.Train]\ncolour = 1\n", "instances.steps.Train.colour: unknown key"),
        ('[network]\nisolated_steps = ["ClaimInput"]\n', "network.isolated_steps: ClaimInput calls AWS APIs"),
        ('[network]\nisolated_steps = ["Claim"]\n', "network.isolated_steps: Claim is no step that runs a container"),
        ('[network]\nisolated_steps = ["Train"]\n', "network: isolated_steps needs wheels_folder"),
        ('[network]\nwheels_folder = "/wheels"\n', "network.wheels_folder"),
        ('[registry]\napproval_status = "Maybe"\n', "registry.approval_status"),
        ('[running]\ncache_expire_after = "a month"\n', "running.cache_expire_after"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(write, text, named):
    with pytest.raises(SettingsError, match=named.replace(".", r"\.")):
        load_settings(file=write(MINIMAL + text))


def test_instances_of_one_step_can_differ_from_those_of_its_kind(write, monkeypatch):
    monkeypatch.setenv("BIKESHARE_INSTANCES__STEPS__PREPROCESS__VOLUME_SIZE_GIB", "100")
    settings = load_settings(file=write(MINIMAL + '[instances.steps.Transform]\ntype = "ml.c5.xlarge"\ncount = 3\n'))
    assert settings.instances.volume_of("Preprocess") == 100
    assert settings.instances.volume_of("Train") == 30
    assert (settings.instances.of("Transform").type, settings.instances.of("Transform").count) == ("ml.c5.xlarge", 3)
    assert settings.instances.of("Train").type is None


def test_broken_toml_and_missing_files_say_so(write, tmp_path):
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(file=write("environment = \n"))
    with pytest.raises(SettingsError, match="no environment 'staging'") as caught:
        load_settings("staging")
    assert "local" in str(caught.value)
    with pytest.raises(SettingsError):
        load_settings("../../etc/passwd")


def test_settings_can_not_be_changed(write):
    settings = load_settings(file=write(MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        settings.region = "us-east-1"
