"""Settings: where values come from, and what a wrong one says."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.datasets.shipped import declaration_file, declared
from pipeline.errors import SettingsError
from pipeline.settings.contract import FLOWS, Function
from pipeline.settings.environment import environment_names, load_settings

ROOT = Path(__file__).parents[3]
VPC = '[network]\nsubnets = [{subnets}]\nsecurity_groups = ["sg-0a"]\n'
KEY = "arn:aws:kms:{}:111122223333:key/0123abcd-0123-0123-0123-0123456789ab"
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


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("", "bikeshare-x"),
        ('dataset = "red_wine"\n', "redwine-x"),
        ('project = "acme"\n', "acme-bikeshare-x"),
        ('project = "acme"\ndataset = "red_wine"\n', "acme-redwine-x"),
        ('project = "redwine"\ndataset = "red_wine"\n', "redwine-x"),
    ],
)
def test_all_names_begin_with_project_data_set_and_environment(write, text, prefix):
    settings = load_settings(file=write(MINIMAL + text))
    names = [
        settings.raw_bucket,
        settings.artifacts_bucket,
        settings.predictions_bucket,
        *settings.pipeline_names,
        settings.inputs_group_name,
        settings.outcomes_group_name,
        settings.model_package_group_name,
        settings.execution_role_name,
        settings.events_role_name,
        settings.schedule_name,
        settings.scheduler_role_name,
        settings.alarm_topic_name,
        settings.dead_letter_queue_name,
        *(settings.rule_name(flow) for flow in FLOWS),
        *(settings.function_name(function) for function in Function),
    ]
    assert {name[: len(prefix) + 1] for name in names} == {f"{prefix}-"}
    assert len({*names}) == len(names)
    assert settings.database_name == prefix.replace("-", "_")
    assert settings.resource_tags() == {"project": prefix.removesuffix("-x"), "environment": "x"}


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        (
            f'project = "{"p" * 16}"\n',
            f"project: {'p' * 16}-bikeshare-{'e' * 16}, which names begin with, has more than 33",
        ),
        (f'project = "{"p" * 16}"\ndataset = "red_wine"\n', "project: .* has more than 33 letters"),
    ],
)
def test_names_that_are_too_long_together_are_refused(write, text, blamed):
    with pytest.raises(SettingsError, match=blamed):
        load_settings(file=write(MINIMAL.replace('"x"', f'"{"e" * 16}"') + text))


def test_a_data_set_s_own_name_is_blamed_where_no_project_is_set(write, monkeypatch):
    named = replace(declared("red_wine"), name="sthree-wine")
    monkeypatch.setattr("pipeline.settings.names.declared", lambda _: named)
    with pytest.raises(SettingsError, match="dataset: its buckets would have names such as sthree-wine-x-raw"):
        load_settings(file=write(MINIMAL))


def test_the_data_set_can_be_given_as_a_variable(write, monkeypatch):
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    settings = load_settings(file=write(MINIMAL))
    assert settings.declared.name == "redwine"
    assert settings.profile == "forecast"


def test_the_declaration_can_be_a_file_of_ones_own(write, tmp_path, monkeypatch):
    text = declaration_file("red_wine").read_text(encoding="utf-8")
    (tmp_path / "cider.toml").write_text(text.replace('name = "redwine"', 'name = "cider"'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(file=write(f'{MINIMAL}dataset = "cider.toml"\n'))
    assert (settings.prefix, settings.profile) == ("cider-x", "forecast")
    with pytest.raises(SettingsError, match=r"dataset: there is no declaration 'mead\.toml'; use the path"):
        load_settings(file=write(f'{MINIMAL}dataset = "mead.toml"\n'))


def test_a_standard_for_model_cards_is_one_that_can_be_used(write, tmp_path):
    assert load_settings(file=write(MINIMAL)).registry.card_standard is None
    named = load_settings(file=write(f'{MINIMAL}[registry]\ncard_standard = "model_risk"\n'))
    assert named.registry.card_standard == "model_risk"
    known = r"registry\.card_standard: there is no standard 'bank'; use the path of a TOML file, or one of: model_risk"
    with pytest.raises(SettingsError, match=known):
        load_settings(file=write(f'{MINIMAL}[registry]\ncard_standard = "bank"\n'))
    (tmp_path / "ours.toml").write_text('title = "Ours"\nversion = "1"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"ours\.toml: owners: is missing"):
        load_settings(file=write(f'{MINIMAL}[registry]\ncard_standard = "{tmp_path}/ours.toml"\n'))


@pytest.mark.parametrize(
    ("text", "says"),
    [("title = ", "is not TOML"), ('title = "x"', "name: is missing"), ('colour = "red"', "colour: unknown field")],
)
def test_a_declaration_that_can_t_be_used_is_named_with_its_field(write, tmp_path, text, says):
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"own\.toml:? .*{says}"):
        load_settings(file=write(f'{MINIMAL}dataset = "{tmp_path}/own.toml"\n'))


def test_thresholds_are_the_declaration_s_unless_they_are_set(write):
    bikes, wine = load_settings(file=write(MINIMAL)), load_settings(file=write(MINIMAL + 'dataset = "red_wine"\n'))
    assert (bikes.gate.minimum_r_squared, wine.gate.minimum_r_squared) == (0.8, 0.3)
    assert (bikes.gate.figure, bikes.gate.leakage, bikes.gate.minimum_rows) == ("random", 0.999, 60)
    quality = 'gate_figure = "rolling"\nminimum_r_squared = 0\nleakage_threshold = 0.9\nminimum_training_rows = 90\n'
    asked = load_settings(file=write(f"{MINIMAL}[quality]\n{quality}")).gate
    assert (asked.figure, asked.minimum_r_squared) == ("rolling", 0.0)
    assert (asked.leakage, asked.minimum_rows) == (0.9, 90)


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
        ("[instances.steps.IngestFeatures]\ncount = 101\n", "instances.steps.IngestFeatures.count"),
        ("[features]\nmost_left_out = -1\n", "features.most_left_out"),
        ("[features]\ndeadline_seconds = 0\n", "features.deadline_seconds"),
        ("[instances.steps.Transform]\nvolume_size_gib = 5\n", "Transform.volume_size_gib: a transform job's volume"),
        ("[instances.steps.Trian]\ncount = 1\n", "instances.steps.Trian"),
        ("[instances.steps.Train]\ncolour = 1\n", "instances.steps.Train.colour: unknown key"),
        ('[network]\nisolated_steps = ["IngestFeatures"]\n', "network.isolated_steps: IngestFeatures calls AWS APIs"),
        (
            '[network]\nisolated_steps = ["Claim"]\n',
            "network.isolated_steps: Claim is not a step that runs",
        ),
        ('[network]\nwheels_folder = "wheels/1"\n', "network.wheels_folder: unknown key"),
        ('[registry]\napproval_status = "Maybe"\n', "registry.approval_status"),
        ("[retention]\nrun_days = 30\n", "retention.run_days: steps are cached for 30 days"),
        ('[running]\ncache_expire_after = "P60DT1H"\n', "retention.run_days: steps are cached for 60 days"),
        ('[running]\ncache_expire_after = "PT2000H"\n', "retention.run_days: steps are cached for 83 days"),
        ('[running]\ncache_expire_after = "P59DT1M"\n', "retention.run_days: steps are cached for 59 days"),
        ('[retention.raw_lock]\nmode = "SOFT"\ndays = 1\n', "retention.raw_lock.mode"),
        ('[retention.raw_lock]\nmode = "COMPLIANCE"\ndays = 0\n', "retention.raw_lock.days"),
        (
            'permissions_boundary = "my policy"\n',
            "permissions_boundary: a managed policy is named by its name or its ARN",
        ),
        ('[running]\ncache_expire_after = "a month"\n', "running.cache_expire_after"),
        ('[running]\ncache_expire_after = "P30DT"\n', "running.cache_expire_after"),
        ("[running]\nlog_retention_days = 31\n", "running.log_retention_days: CloudWatch Logs keeps logs for 1, 3,"),
        ("[running]\nretry_interval_seconds = 43201\n", "running.retry_interval_seconds"),
        ("[running]\nretry_backoff_rate = inf\n", "running.retry_backoff_rate"),
        ("[quality]\nminimum_r_squared = -inf\n", "quality.minimum_r_squared"),
        ("[instances]\nsteps = 5\n", "instances.steps: Input should be a valid dictionary"),
        ('[instances]\nsteps = ["Train"]\n', "instances.steps: Input should be a valid dictionary"),
        (VPC.format(subnets='"subnet-0a", "subnet-0a"'), "network.subnets: subnet-0a is listed more than once"),
        (VPC.format(subnets=", ".join(f'"subnet-{n}"' for n in range(17))), "network.subnets: .* at most 16 items"),
        ('[buckets]\nraw = "a..b"\n', "buckets.raw: a bucket name has no two dots"),
        ('kms_key = "alias/aws/s3"\n', "kms_key: the policies of AWS's own keys"),
        ('[buckets]\nraw = "one"\npredictions = "one"\n', "buckets: one bucket can't be two of one, bikeshare-x-a"),
        ('[buckets]\nkms_keys = ["x"]\n', "buckets.kms_keys.0: a key is named by its id"),
        ('kms_key = "my key"\n', "kms_key: a key is named by its id"),
        ('project = "sthree"\n', "project: its buckets would have names such as sthree-bikeshare-x-raw-111122223333;"),
        ('[schedule]\nexpression = "0 3 1 * *"\n', "schedule.expression: has to be such as cron"),
        ('[schedule]\nexpression = "rate(1 days)"\n', "schedule.expression: has to be such as cron"),
        ('[schedule]\ntimezone = "Zurich"\n', "schedule.timezone: there is no such time zone"),
        ('[tags]\nnote = "a & b"\n', "tags.note: a tag takes letters, digits, spaces and .* \\(got 'a & b'\\)"),
        ('[tags]\nProject = "p"\n', "tags.Project: it differs from project in case only"),
        ("[tags]\n" + "\n".join(f'k{n} = "v"' for n in range(49)), "tags: Dictionary should have at most 48 items"),
        ('endpoint_url = "127.0.0.1:4566"\n', "endpoint_url: has to be a URL"),
        ('Region = "us-east-1"\n', "Region: unknown key"),
        ('KMS_KEY = "alias/mine"\n', "KMS_KEY: unknown key"),
        ("[Quality]\nminimum_r_squared = 0.9\n", "Quality: unknown key"),
        ('[tags]\nproject = "theirs"\n', "tags.project: the setting project says that"),
        ('[tags]\nenvironment = "theirs"\n', "tags.environment: the setting environment says that"),
        (f'kms_key = "{KEY.format("us-east-1")}"\n', "kms_key: a key of us-east-1 can't be used in eu-west-1"),
        (f'[buckets]\nkms_keys = ["{KEY.format("us-east-1")}"]\n', "buckets.kms_keys: a key of us-east-1"),
        ('[alarms]\nemails = ["a@b.c", "a@b.c"]\n', "alarms.emails: a@b.c is listed more than once"),
        ('[alarms]\nemails = "a@b.c"\n', "alarms.emails: has to be a list"),
        ('[alarms]\nemails = ["a at b"]\n', "alarms.emails.0: has to be an e-mail address"),
        ('project = "Bike"\n', "project: has to be 1 to 16 lower-case letters, digits and hyphens"),
        (
            'dataset = "red_whine"\n',
            "dataset: there is no declaration 'red_whine'; use the path of a TOML file, or one of: bike_sharing, red_w",
        ),
        ("dataset = 7\n", "dataset: has to be text, in quotes"),
        (
            'dataset = "red_wine"\n[analysis]\nprofile = "parity"\n',
            "analysis.profile: red_wine declares no 'parity'; it has forecast, complete, distinct",
        ),
        ('[analysis]\nmeasures = "words"\n', "analysis.measures: Input should be 'declared', 'numbers' or 'bins'"),
        ('[analysis]\nfirst_levels = "no"\n', "analysis.first_levels: Input should be 'declared', 'drop' or 'keep'"),
        ("[analysis]\nfeature_count = 0\n", "analysis.feature_count"),
        (
            '[analysis]\ntrain_on = "history"\n[features]\noffline_store = false\n',
            "analysis.train_on: it trains on history, for which features.offline_store is needed",
        ),
        (
            '[schedule]\nexpression = "rate(7 days)"\n[features]\ntime_to_live_days = 9\n',
            "schedule: it trains on history, for which .* no features.time_to_live_days",
        ),
        (
            '[analysis]\nprofile = "forecast-lagged"\n[features]\noffline_store = false\n',
            "analysis.profile: forecast-lagged looks back, for which features.offline_store is needed",
        ),
        (
            "[features]\nonline_store = false\noffline_store = false\n",
            "features: .*without online_store, offline_store has to be true",
        ),
        (
            "[features]\nonline_store = false\ntime_to_live_days = 7\n",
            "features: .*without online_store, .* no record expires",
        ),
        ('[quality]\ndrift_action = "stop"\n', "quality.drift_action: Input should be 'warn' or 'fail'"),
        ("[quality]\ndrift_threshold = 0\n", "quality.drift_threshold: Input should be greater than 0"),
        ('[quality]\ngate_figure = "best"\n', "quality.gate_figure: Input should be 'random', 'chronological' or 'rol"),
        (
            'dataset = "red_wine"\n[quality]\ngate_figure = "rolling"\n',
            "quality.gate_figure: red_wine declares no time, so there are no rows to come",
        ),
        ("project = 7\n", "project: has to be text, in quotes"),
        ("[instances.steps.Trian]\ncount = 1\n", "instances.steps.Trian: Input should be 'Preprocess'"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(write, text, named):
    with pytest.raises(SettingsError, match=re.sub(r"\.(?!\*)", r"\.", named)) as caught:
        load_settings(file=write(MINIMAL + text))
    assert f"{caught.value.message.splitlines()[0]}".endswith("settings.toml are wrong:")


@pytest.mark.parametrize(
    "text",
    [
        'kms_key = "mrk-0123456789abcdef0123456789abcdef"\n',
        'kms_key = "arn:aws:kms:eu-west-1:111122223333:alias/mine"\n',
        "[running]\nlog_retention_days = 3653\n",
        "[retention]\nrun_days = 31\n",
        'permissions_boundary = "arn:aws:iam::111122223333:policy/teams/cap"\n',
        '[running]\ncache_expire_after = "PT12H30M"\n',
        '[running]\ncache_expire_after = "P59D"\n',
        '[tags]\n"Größe:x/y" = "a b+c=d.e_f-g@h"\nempty = ""\n',
    ],
)
def test_what_aws_takes_passes(write, text):
    load_settings(file=write(MINIMAL + text))


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_arns_are_of_the_part_of_aws_that_the_region_belongs_to(write, region, partition):
    settings = load_settings(file=write(MINIMAL.replace("eu-west-1", region)))
    assert settings.arn("sqs", "q") == f"arn:{partition}:sqs:{region}:111122223333:q"
    assert settings.role_arn("r") == f"arn:{partition}:iam::111122223333:role/r"
    assert settings.bucket_arn("b") == f"arn:{partition}:s3:::b"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BIKESHARE_QUALTIY__MINIMUM_R_SQUARED", "0.7", "BIKESHARE_QUALTIY__MINIMUM_R_SQUARED: there is no setting q"),
        ("BIKESHARE_COLOUR", "red", "BIKESHARE_COLOUR: there is no setting colour"),
        ("BIKESHARE_ALARMS__EMAILS", "a@b.c", r"BIKESHARE_ALARMS__EMAILS can't be read\..*\n.*written as JSON"),
        ("BIKESHARE_QUALITY", "{", "BIKESHARE_QUALITY can't be read"),
        ("BIKESHARE_REGION", "europe", "region"),
    ],
)
def test_a_wrong_variable_is_named(write, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=words):
        load_settings(file=write(MINIMAL))


def test_the_example_in_the_documentation_is_taken(write, monkeypatch):
    monkeypatch.setenv("BIKESHARE_RUNNING__LOG_RETENTION_DAYS", "90")
    assert load_settings(file=write(MINIMAL)).running.log_retention_days == 90


def test_a_file_of_another_environment_is_not_taken_for_the_one_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.settings.environment.ENVIRONMENTS_FOLDER", tmp_path)
    (tmp_path / "dev.toml").write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"environment: it is 'x', and the file is dev\.toml"):
        load_settings("dev")
    monkeypatch.setenv("BIKESHARE_ENVIRONMENT", "pr-12")
    renamed = load_settings("dev")
    assert renamed.environment == "pr-12"
    # The file's name, since there is none of the other.
    assert renamed.command("runs") == "bikeshare runs --env dev"


def test_instances_of_one_step_can_differ_from_those_of_its_kind(write, monkeypatch):
    monkeypatch.setenv("BIKESHARE_INSTANCES__STEPS__PREPROCESS__VOLUME_SIZE_GIB", "100")
    settings = load_settings(file=write(MINIMAL + '[instances.steps.Transform]\ntype = "ml.c5.xlarge"\ncount = 3\n'))
    assert settings.instances.of("Preprocess").volume_size_gib == 100
    assert settings.instances.of("Train").volume_size_gib == 30
    assert (settings.instances.of("Transform").type, settings.instances.of("Transform").count) == ("ml.c5.xlarge", 3)
    assert settings.instances.of("Train").type is None


def test_broken_toml_and_missing_files_say_so(write, tmp_path):
    with pytest.raises(SettingsError, match=r"There is no settings file .*none\.toml"):
        load_settings(file=tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="There is no settings file"):
        load_settings(file=tmp_path)
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


def test_commands_that_are_suggested_are_for_these_settings(write):
    assert load_settings("local").command("runs") == "bikeshare runs"
    assert load_settings("local").options == "--env local"
    assert load_settings("dev").command("watch x") == "bikeshare watch x --env dev"
    file = write(MINIMAL)
    assert load_settings(file=file).command("runs") == f"bikeshare runs --settings {file}"
    # It is no setting: nothing that is made of them depends on where they were read.
    assert load_settings(file=file).model_dump() == load_settings(file=file.resolve()).model_dump()
    assert '"_file"' not in load_settings(file=file).model_dump_json()
