"""Secrets in plain text."""

import pytest

# Made up, in the forms that real ones have; in pieces, so that no scanner takes this file for a leak.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"


SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", ["plain-secrets", "images-pinned", "code-pinned"])
def test_good_pipelines_pass(problems, request, flow, check):
    assert problems(check, request.getfixturevalue(flow)) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CONNECTION", f"key={ACCESS_KEY}", "AWS access key id"),
        ("SETTING", SECRET_KEY, "random token"),
        ("DB_PASSWORD", "summer", "the value of DB_PASSWORD"),
        ("apiKey", "x1", "the value of apiKey"),
        ("PEM", "-----BEGIN RSA PRIVATE KEY-----", "private key"),
        ("SOURCE", "https://user:pass@example.com/repo", "password in a URL"),
        ("GIT", "ghp_" + "a1B2" * 9, "GitHub token"),
        ("LAB", "glpat-" + "a1B2" * 5, "GitLab token"),
        ("MAPS", "AIza" + "a1B2-" * 7, "Google API key"),
        ("HUB", "hf_" + "abcDEF" * 6, "Hugging Face token"),
        ("TILL", "sk_live_" + "a1B2" * 6, "Stripe key"),
        ("HOOK", "https://hooks.slack.com/" + "services/T0000/B0000/XXXX", "Slack webhook"),
        ("CONNECTION", "Server=db;User Id=me;" + "Password=summer;", "password in a connection string"),
        ("DBPASSWORD", "summer", "the value of DBPASSWORD"),
        ("MYSQL_PASS", "summer", "the value of MYSQL_PASS"),
        ("AUTHORIZATION", "Bearer abc", "the value of AUTHORIZATION"),
        ("SIGNING_KEY", "abc", "the value of SIGNING_KEY"),
        ("VAULT_SECRET_ID", "5f2a", "the value of VAULT_SECRET_ID"),
        ("CACHE", "redis://:summer@cache:6379/0", "password in a URL"),
        ("NPM", "//registry.npmjs.org/:_authToken=" + "x1y2", "npm token"),
        ("MAIL", "SG." + "a1B2" * 5 + "." + "a1B2" * 10, "SendGrid key"),
        ("BRICKS", "dapi" + "0123456789abcdef" * 2, "Databricks token"),
        ("MODEL", "sk-proj-" + "a1B2" * 8, "OpenAI or Anthropic key"),
        ("HEADER", "Bearer " + "abcdefgh" * 3, "Authorization header"),
        ("STORAGE", "AccountKey=" + "a1B2" * 8, "account key"),
    ],
)
def test_a_secret_in_the_environment_is_found(training, problems, name, value, words):
    training.arguments("Preprocess")["Environment"][name] = value
    (found,) = problems("plain-secrets", training)
    assert (found.step, found.field) == ("Preprocess", f"Arguments.Environment.{name}")
    assert words in found.message
    assert value not in found.message.partition(" is ")[0]


def test_a_secret_among_the_arguments_is_found(training, problems):
    training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"] += ["--db-password", "summer"]
    (found,) = problems("plain-secrets", training)
    assert "ContainerArguments[" in found.field


def test_a_secret_after_an_equals_sign_is_found(training, problems):
    training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"].append("--api-token=x1y2")
    (found,) = problems("plain-secrets", training)
    assert "ContainerArguments[" in found.field


@pytest.mark.parametrize(
    ("step", "change", "field"),
    [
        (
            "Train",
            lambda found: found["Tags"].append({"Key": "password", "Value": "summer"}),
            "Arguments.Tags[3].Value",
        ),
        (
            "RegisterModel",
            lambda found: found["CustomerMetadataProperties"].update(api_key="x1y2"),
            "Arguments.CustomerMetadataProperties.api_key",
        ),
    ],
)
def test_a_secret_in_tags_and_properties_is_found(training, problems, step, change, field):
    change(training.arguments(step))
    (found,) = problems("plain-secrets", training)
    assert (found.step, found.field) == (step, field)


def test_a_secret_hyperparameter_is_found(training, problems):
    training.arguments("Train")["HyperParameters"]["token"] = "x1y2"
    (found,) = problems("plain-secrets", training)
    assert found.field == "Arguments.HyperParameters.token"


def test_a_secret_in_a_join_is_found(training, problems):
    joined = {"Std:Join": {"On": "", "Values": ["key=", ACCESS_KEY]}}
    training.arguments("Preprocess")["Environment"]["CONNECTION"] = joined
    assert len(problems("plain-secrets", training)) == 1


def test_a_secret_default_of_a_parameter_is_found(training, problems):
    training.content["Parameters"].append({"Name": "DatabasePassword", "Type": "String", "DefaultValue": "summer"})
    (found,) = problems("plain-secrets", training)
    assert found.field == f"Parameters[{len(training.content['Parameters']) - 1}].DefaultValue"


PASSWORD = {"password": "summer"}


@pytest.mark.parametrize(
    ("step", "change", "field"),
    [
        ("Train", {"StaticHyperParameters": PASSWORD}, "Arguments.StaticHyperParameters.password"),
        ("CreateModel", {"Containers": [{"Environment": PASSWORD}]}, "Arguments.Containers[0].Environment.password"),
        ("Transform", {"Environment": PASSWORD}, "Arguments.Environment.password"),
        ("Evaluate", {"AppSpecification": {"ContainerEntrypoint": ["run", "-password", "summer"]}}, "Entrypoint[2]"),
        ("Train", {"AlgorithmSpecification": {"ContainerArguments": ["--password", "summer"]}}, "Arguments[1]"),
        ("Evaluate", {"Environment": {"TOKEN": {"Std:Join": {"On": "", "Values": ["x1", "y2"]}}}}, "Environment.TOKEN"),
        ("Evaluate", {"Environment": {"TOKEN": {"Get": "Parameters.Profile"}}}, "Arguments.Environment.TOKEN"),
    ],
)
def test_a_secret_is_found_wherever_it_has_a_name(training, problems, step, change, field):
    training.arguments(step).update(change)
    (found,) = problems("plain-secrets", training)
    assert found.step == step
    assert found.field.endswith(field)


def test_a_secret_beside_the_arguments_is_found(training, problems):
    training.step("Train")["Description"] = f"Logs in with {ACCESS_KEY}"
    training.content["Metadata"] = {"note": ACCESS_KEY}
    training.parameter("Profile")["EnumValues"].append(ACCESS_KEY)
    assert {(found.step, found.field) for found in problems("plain-secrets", training)} == {
        ("Train", "Description"),
        ("", "Metadata.note"),
        ("", "Parameters[4].EnumValues[2]"),
    }


def test_a_long_text_is_read_once(training, problems):
    # As long as a definition may be; a look for a password in a URL that began at each letter would take hours.
    training.arguments("QualityGateFailed")["ErrorMessage"] = "x" * 1_000_000
    assert problems("plain-secrets", training) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rides-AbCdEf"),
        ("DIGEST", "9f7e9917f2bee269d1d64dc5a889815c26e73431ce77b8e6dfe449d20ee10998"),
        ("TOKENIZER", "words"),
        ("SECRET_KEY", "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----"),
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:MyDatabase2026-a1B2c3"),
        ("SECRET_NAME", "rides/database"),
        ("SECRET_ID", "rides/database"),
        ("PASSWORD_PARAMETER", "/rides/password"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/google/account.json"),
        ("TOKEN_LIMIT", "512"),
        ("max-token-length", "128"),
        ("secret_rotation_days", "30"),
        ("PAD_TOKEN", "[PAD]"),
        ("stop_token", "END"),
        ("USE_TOKEN", "false"),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("ENCRYPTION_KEY_ID", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("JOB", "ConvolutionalNeuralNetwork50LayersV2"),
        ("QUEUE", "https://sqs.us-east-1.amazonaws.com/123456789012/QueueOfTheCallbackSteps2026"),
        ("ROLE", "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-20260101T120000"),
        ("ADDRESS", "https://example.com:8080/path"),
        ("NOTE", "A sentence of ordinary words, with 2 numbers and Capitals in it."),
        ("PLACE", "s3://rides-prod-artifacts-444455556666/runs/Preprocess/train"),
    ],
)
def test_what_is_no_secret_passes(training, problems, name, value):
    training.arguments("Preprocess")["Environment"][name] = value
    assert problems("plain-secrets", training) == []
