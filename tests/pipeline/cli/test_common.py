"""What the commands share: which settings they work with."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import SettingsError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('environment = "qa"\naccount_id = "111122223333"\nregion = "eu-west-1"\n', encoding="utf-8")
    return path


def permissions(*arguments):
    return CliRunner().invoke(app, ["trust-policy", "--permissions", *map(str, arguments)])


def test_a_file_of_another_environment_than_the_one_asked_for_is_refused(file):
    done = permissions("--env", "prod", "--settings", file)
    assert isinstance(done.exception, SettingsError)
    assert "environment: it is 'qa', and --env asks for 'prod'" in done.exception.message


@pytest.mark.parametrize("environment", [[], ["--env", "qa"]])
def test_a_file_of_settings_is_enough(file, environment):
    done = permissions("--settings", file, *environment)
    assert done.exit_code == 0
    assert "bikeshare-qa-raw-111122223333" in json.dumps(json.loads(done.stdout))


def test_a_trust_policy_without_a_repository_says_what_is_missing():
    done = CliRunner().invoke(app, ["trust-policy"])
    assert done.exit_code == 2
    assert "--repository" in done.stderr
    assert "OWNER/NAME" in done.stderr
