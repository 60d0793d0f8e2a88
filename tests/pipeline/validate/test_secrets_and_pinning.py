import pytest

pytestmark = pytest.mark.xdist_group("validate")

# Made up, in the forms that real ones have; in pieces, so that no scanner takes this file for a leak.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", ["plain-secrets", "images-pinned", "code-pinned"])
def test_our_pipelines_pass(problems, request, flow, check):
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bikeshare-AbCdEf"),
        ("DIGEST", "9f7e9917f2bee269d1d64dc5a889815c26e73431ce77b8e6dfe449d20ee10998"),
        ("TOKENIZER", "words"),
        ("NOTE", "A sentence of ordinary words, with 2 numbers and Capitals in it."),
        ("PLACE", "s3://bikeshare-prod-artifacts-444455556666/runs/Preprocess/train"),
    ],
)
def test_what_is_no_secret_passes(training, problems, name, value):
    training.arguments("Preprocess")["Environment"][name] = value
    assert problems("plain-secrets", training) == []


REPOSITORY = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn"


@pytest.mark.parametrize(
    "image",
    [
        *(REPOSITORY, f"{REPOSITORY}:latest", f"{REPOSITORY}:1.9-latest", f"{REPOSITORY}:"),
        *({"Get": "Parameters.Profile"}, "localhost:5000/own"),
    ],
)
def test_an_image_that_can_change_is_found(training, problems, image):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = image
    (found,) = problems("images-pinned", training)
    assert (found.step, found.field) == ("Train", "Arguments.AlgorithmSpecification.TrainingImage")


def test_an_image_inside_a_model_package_is_looked_at(training, problems):
    training.arguments("RegisterModel")["InferenceSpecification"]["Containers"][0]["Image"] = f"{REPOSITORY}:latest"
    (found,) = problems("images-pinned", training)
    assert found.field == "Arguments.InferenceSpecification.Containers[0].Image"


def test_a_digest_pins_an_image(training, problems):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = f"{REPOSITORY}@sha256:{'0' * 64}"
    assert problems("images-pinned", training) == []


def test_code_that_can_change_is_found(training, problems):
    training.arguments("Train")["HyperParameters"]["sagemaker_submit_directory"] = (
        "s3://artifacts/code/sourcedir.tar.gz"
    )
    training.input("Evaluate", "code")["S3Uri"] = "s3://artifacts/code/main/"
    assert [problem.step for problem in problems("code-pinned", training)] == ["Train", "Evaluate"]
