"""The two definitions: deterministic, offline, and of the shape that AWS takes."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipedef.document.definition import read_definition
from pipeline.datasets.shipped import standard_file
from pipeline.definition.bundle import Bundle, bundle_of
from pipeline.definition.compile import compile_definition
from pipeline.definition.sdk import TELEMETRY_OFF, offline_sdk
from pipeline.settings.contract import Flow
from pipeline.settings.environment import environment_names, load_settings
from pipeline.settings.sections import Analysis
from pipeline.step_code import Lock

ROOT = Path(__file__).parents[3]
COMPILE = (
    "import sys; from pipeline.definition.compile import compile_definition;"
    "from pipeline.settings.environment import load_settings;"
    "sys.stdout.write(compile_definition(load_settings('local'), sys.argv[1]))"
)


def steps_of(definition):
    return [step.content for step in read_definition(definition, "definition").steps]


@pytest.fixture(scope="module")
def settings():
    return load_settings("local")


@pytest.fixture(scope="module", params=get_args(Flow))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def definition(settings, kind):
    return compile_definition(settings, kind)


@pytest.fixture(scope="module")
def steps(definition):
    return {step["Name"]: step for step in steps_of(definition)}


def references(value, key="Get"):
    """Every value of ``{"Get": …}`` in a definition."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key and isinstance(item, str):
                yield item
            else:
                yield from references(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from references(item, key)


def placeholders_filled(value):
    """Return a definition's arguments as a request might look once its variables are known."""
    if isinstance(value, dict):
        if set(value) & {"Get", "Std:Join", "Std:JsonGet"}:
            return "s3://bucket/some/value"
        return {name: placeholders_filled(item) for name, item in value.items()}
    if isinstance(value, list):
        return [placeholders_filled(item) for item in value]
    return value


def test_two_processes_make_the_same_bytes_without_network_and_credentials(definition, kind, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "7",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Whatever tries to reach the network fails at once and makes the compile fail.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    other = subprocess.run(
        [sys.executable, "-c", COMPILE, kind],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == definition
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a network namespace of its own")
def test_it_compiles_where_there_is_no_network_at_all(definition, kind, tmp_path):
    found = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", COMPILE, kind],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == definition


def test_compiling_leaves_environment_and_default_session_alone(settings):
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    compile_definition(settings, "training")
    assert dict(os.environ) == before
    assert boto3.DEFAULT_SESSION is session


def test_the_sdk_configuration_is_valid_by_the_sdks_own_schema():
    import jsonschema

    with offline_sdk("us-east-1"):
        from sagemaker.core.config.config_schema import SAGEMAKER_PYTHON_SDK_CONFIG_SCHEMA
    jsonschema.validate(TELEMETRY_OFF, SAGEMAKER_PYTHON_SDK_CONFIG_SCHEMA)


def test_only_the_code_hash_changes_when_only_the_code_does(settings, kind):
    one, other = (compile_definition(settings, kind, Bundle(digit * 64, b"", b"", b"")) for digit in "ef")
    assert one != other
    assert one.replace("e" * 64, "f" * 64) == other


def test_every_declared_parameter_is_used_and_every_used_one_declared(definition):
    content = json.loads(definition)
    declared = {parameter["Name"] for parameter in content["Parameters"]}
    used = {path.split(".")[1] for path in references(content["Steps"]) if path.startswith("Parameters.")}
    assert used == declared


def test_every_kind_of_step_is_there(steps, kind):
    kinds = {step["Type"] for step in steps.values()}
    common = {"Processing", "Condition", "Lambda", "Model", "Transform"}
    assert kinds == common | ({"Training", "RegisterModel", "Fail"} if kind == "training" else set())


def test_every_job_has_retries_time_out_and_tags(steps):
    for name, step in steps.items():
        if step["Type"] in {"Condition", "Fail", "Lambda"}:
            # AWS takes no retry policy for a function's step.
            assert "RetryPolicies" not in step, name
            continue
        assert step["RetryPolicies"], name
        if step["Type"] in {"Processing", "Training"}:
            assert step["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"] == 3600, name
        if step["Type"] in {"Processing", "Training", "Model", "Transform"}:
            assert {tag["Key"] for tag in step["Arguments"]["Tags"]} >= {"project", "environment"}, name


def test_only_pure_steps_are_cached(steps, kind):
    cached = {name for name, step in steps.items() if step.get("CacheConfig", {}).get("Enabled")}
    assert cached == ({"Preprocess", "Train"} if kind == "training" else {"Preprocess"})


def test_scoring_takes_its_model_from_the_registry_and_fits_nothing(settings):
    steps = {step["Name"]: step for step in steps_of(compile_definition(settings, "scoring"))}
    assert not [name for name, step in steps.items() if step["Type"] == "Training"]
    (container,) = steps["CreateModel"]["Arguments"]["Containers"]
    assert container["ModelPackageName"] == {"Get": "Steps.SelectModel.OutputParameters['model_package_arn']"}
    assert "train" not in {
        output["OutputName"] for output in steps["Preprocess"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    }


def test_no_parameter_is_empty_by_default(definition):
    """The cloud has refused empty texts as values (sagemaker-python-sdk#4016, #3564)."""
    assert "" not in [parameter.get("DefaultValue") for parameter in json.loads(definition)["Parameters"]]


def test_large_files_are_published_by_a_job(settings, kind):
    running = settings.running.model_copy(update={"largest_file_mib": 513})
    large = settings.model_copy(update={"running": running})
    steps = {step["Name"]: step for step in steps_of(compile_definition(large, kind))}
    published = ["PublishPredictions", *(["PublishRegistered"] if kind == "training" else [])]
    for name in published:
        assert steps[name]["Type"] == "Processing"
        assert steps[name]["Arguments"]["AppSpecification"]["ContainerEntrypoint"][-1] == "publish.py"
    measured = ["ScorePredictions", *(["ScoreRegistered"] if kind == "training" else [])]
    for name in measured:
        assert steps[name]["Type"] == "Processing"
        assert steps[name]["Arguments"]["AppSpecification"]["ContainerEntrypoint"][-1] == "score_predictions.py"
    assert steps["IngestFeatures"]["DependsOn"] == ["PublishPredictions"]
    assert steps["ScorePredictions"]["DependsOn"] == ["IngestFeatures"]


def test_nothing_reaches_store_registry_or_analysts_before_the_gate(settings):
    content = json.loads(compile_definition(settings, "training"))
    (gate,) = [step for step in content["Steps"] if step["Name"] == "QualityGate"]
    after = {step["Name"] for step in gate["Arguments"]["IfSteps"]}
    assert after == {"ConfirmClaim", "RegisterModel", "PublishPredictions", "IngestFeatures", "ScorePredictions"}
    assert gate["DependsOn"] == ["Transform"]


def test_nothing_changes_from_compile_to_compile(definition):
    assert not re.search(r"20\d\d-\d\d-\d\d-\d\d|sagemaker-(us|eu)-", definition)


def test_no_secret_stands_in_the_definition(definition):
    assert "offline" not in definition
    assert not re.search(r"AKIA[0-9A-Z]{16}|aws_secret", definition)


SERVICE_CALLS = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "x"}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "x"}),
    "Transform": ("CreateTransformJob", {"TransformJobName": "x"}),
    "Model": ("CreateModel", {"ModelName": "x"}),
    "RegisterModel": ("CreateModelPackage", {}),
}


@pytest.mark.parametrize("environment", environment_names())
def test_arguments_fit_the_calls_that_they_become(environment, kind):
    model = botocore.session.get_session().get_service_model("sagemaker")
    for step in steps_of(compile_definition(load_settings(environment), kind)):
        if step["Type"] not in SERVICE_CALLS:
            continue
        operation, pipeline_adds = SERVICE_CALLS[step["Type"]]
        request = {**placeholders_filled(step["Arguments"]), **pipeline_adds}
        report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
        assert not report.has_errors(), f"{step['Name']}: {report.generate_report()}"


def test_a_private_network_and_a_key_reach_every_job(kind):
    settings = load_settings("prod")
    assert settings.kms_key
    for step in steps_of(compile_definition(settings, kind)):
        arguments = step["Arguments"]
        if step["Type"] == "Processing":
            assert arguments["NetworkConfig"]["VpcConfig"]["Subnets"], step["Name"]
            assert arguments["NetworkConfig"]["EnableInterContainerTrafficEncryption"] is True
            assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == settings.kms_key
        if step["Type"] == "Training":
            assert arguments["VpcConfig"]["Subnets"]
            assert arguments["EnableInterContainerTrafficEncryption"] is True
            assert arguments["OutputDataConfig"]["KmsKeyId"] == settings.kms_key
        if step["Type"] == "Model":
            assert arguments["VpcConfig"]["Subnets"]
        if step["Type"] == "Transform":
            assert arguments["TransformOutput"]["KmsKeyId"] == settings.kms_key


SPECIAL = """
environment = "x"
account_id = "111122223333"
region = "eu-west-1"

[instances]
warm_pool_seconds = 600

[instances.steps.Preprocess]
type = "ml.m5.4xlarge"
volume_size_gib = 100

[instances.steps.Transform]
count = 2

[instances.steps.IngestFeatures]
count = 3

[features]
most_left_out = 5

[network]
isolated_steps = ["Preprocess", "Train"]
"""


def test_isolation_instances_and_warm_pools_reach_the_jobs(tmp_path, kind):
    file = tmp_path / "special.toml"
    file.write_text(SPECIAL, encoding="utf-8")
    steps = {step["Name"]: step["Arguments"] for step in steps_of(compile_definition(load_settings(file=file), kind))}
    cluster = steps["Preprocess"]["ProcessingResources"]["ClusterConfig"]
    assert (cluster["InstanceType"], cluster["InstanceCount"], cluster["VolumeSizeInGB"]) == ("ml.m5.4xlarge", 1, 100)
    assert steps["IngestFeatures"]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 30
    assert steps["Transform"]["TransformResources"]["InstanceCount"] == 2
    assert steps["IngestFeatures"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 3
    assert isolated(steps) == {"Preprocess"} | ({"Train"} if kind == "training" else set())
    if kind == "training":
        assert steps["Train"]["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600


def test_ingestion_ends_before_its_job_and_keeps_its_list_even_if_it_fails(tmp_path, kind):
    file = tmp_path / "special.toml"
    file.write_text(SPECIAL, encoding="utf-8")
    steps = {step["Name"]: step["Arguments"] for step in steps_of(compile_definition(load_settings(file=file), kind))}
    arguments = steps["IngestFeatures"]["AppSpecification"]["ContainerArguments"]
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (options["--deadline-seconds"], options["--most-left-out"]) == ("3240", "5")
    (output,) = steps["IngestFeatures"]["ProcessingOutputConfig"]["Outputs"]
    assert (output["OutputName"], output["S3Output"]["S3UploadMode"]) == ("ingest", "Continuous")


def isolated(steps):
    return {
        name
        for name, arguments in steps.items()
        if arguments.get("EnableNetworkIsolation") or arguments.get("NetworkConfig", {}).get("EnableNetworkIsolation")
    }


@pytest.mark.parametrize("name", environment_names())
def test_steps_that_call_no_aws_api_have_no_network(name, kind):
    steps = {step["Name"]: step["Arguments"] for step in steps_of(compile_definition(load_settings(name), kind))}
    assert isolated(steps) == {"Preprocess", "CreateModel"} | ({"Train"} if kind == "training" else set())


@pytest.mark.parametrize("name", environment_names())
def test_no_job_waits_for_libraries_where_the_image_has_all_of_them(name, kind):
    settings = load_settings(name)
    assert not bundle_of(settings).lock.pins
    assert '"wheels"' not in compile_definition(settings, kind)


@pytest.mark.parametrize("name", environment_names())
def test_every_job_of_a_script_brings_its_libraries_along(name, kind):
    settings = load_settings(name)
    lock = Lock.of(f"some-thing==1.0 --hash=sha256:{'0' * 64}")
    folder = f"s3://{settings.artifacts_bucket}/wheels/{lock.sha256}/"
    for step in steps_of(compile_definition(settings, kind, replace(bundle_of(settings), lock=lock))):
        arguments = step["Arguments"]
        if step["Type"] == "Processing":
            inputs = {item["InputName"]: item["S3Input"] for item in arguments["ProcessingInputs"]}
            assert inputs["wheels"]["S3Uri"] == folder
            assert inputs["wheels"]["LocalPath"] == "/opt/ml/processing/input/wheels"
        if step["Type"] == "Training":
            channels = {
                item["ChannelName"]: item["DataSource"]["S3DataSource"] for item in arguments["InputDataConfig"]
            }
            assert list(channels) == ["code", "wheels", "train"]
            assert channels["wheels"]["S3Uri"] == folder


def test_training_starts_by_the_launcher_like_processing(settings):
    (train,) = (step for step in steps_of(compile_definition(settings, "training")) if step["Type"] == "Training")
    specification = train["Arguments"]["AlgorithmSpecification"]
    assert specification["ContainerEntrypoint"] == ["/bin/bash", "/opt/ml/input/data/code/run.sh", "train.py"]
    assert specification["ContainerArguments"][:2] == ["--profile", {"Get": "Parameters.Profile"}]
    assert not train["Arguments"]["HyperParameters"]


def test_a_model_asks_no_package_index_when_it_starts_to_serve(settings):
    steps = {step["Name"]: step["Arguments"] for step in steps_of(compile_definition(settings, "training"))}
    registered = steps["RegisterModel"]["InferenceSpecification"]["Containers"][0]
    for container in (registered, steps["CreateModel"]["PrimaryContainer"]):
        assert container["Environment"]["PIP_NO_BUILD_ISOLATION"] == "0"
        assert container["Environment"]["OPENBLAS_NUM_THREADS"] == "1"


@pytest.fixture(scope="module")
def training_steps(settings) -> dict[str, dict[str, Any]]:
    return {step["Name"]: step for step in steps_of(compile_definition(settings, "training"))}


def test_the_card_of_a_version_is_what_evaluate_wrote(training_steps):
    card = training_steps["RegisterModel"]["Arguments"]["ModelCard"]
    assert card["ModelCardContent"] == {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Card"}, "Path": "content"}
    }
    assert card["ModelCardStatus"] == "PendingReview"
    files = {one["PropertyFileName"]: one for one in training_steps["Evaluate"]["PropertyFiles"]}
    assert files["Card"] == {"PropertyFileName": "Card", "OutputName": "evaluation", "FilePath": "card.json"}


def test_a_version_carries_baselines_sample_and_where_it_comes_from(settings, training_steps):
    from analysis.evaluation import monitoring

    def file_of(source: dict[str, Any]) -> str:
        return str(source["S3Uri"]["Std:Join"]["Values"][-1])

    asked = training_steps["RegisterModel"]["Arguments"]
    metrics, baselines = asked["ModelMetrics"], asked["DriftCheckBaselines"]
    assert file_of(metrics["ModelQuality"]["Statistics"]) == "evaluation.json"
    assert file_of(baselines["ModelQuality"]["Statistics"]) == monitoring.MODEL_STATISTICS
    for source in (metrics, baselines):
        assert file_of(source["ModelQuality"]["Constraints"]) == monitoring.MODEL_CONSTRAINTS
        assert file_of(source["ModelDataQuality"]["Statistics"]) == monitoring.DATA_STATISTICS
        assert file_of(source["ModelDataQuality"]["Constraints"]) == monitoring.DATA_CONSTRAINTS
    assert asked["SamplePayloadUrl"]["Std:Join"]["Values"][-1] == monitoring.SAMPLE
    assert (asked["Domain"], asked["Task"]) == ("MACHINE_LEARNING", "REGRESSION")
    inference = asked["InferenceSpecification"]
    for kind in ("SupportedRealtimeInferenceInstanceTypes", "SupportedTransformInstanceTypes"):
        assert inference[kind] == [settings.instances.transform]
    properties = asked["CustomerMetadataProperties"]
    assert {
        *("profile", "scores-new-rows", "data-sha256", "code-sha256", "declaration-sha256"),
        *("git-commit", "pipeline-execution"),
    } <= set(properties)
    assert properties["git-commit"] == {"Get": "Steps.ClaimInput.OutputParameters['git_commit']"}


def test_the_code_of_an_environment_with_a_standard_has_it(settings):
    with_standard = settings.model_copy(
        update={"registry": settings.registry.model_copy(update={"card_standard": "model_risk"})}
    )
    first, second = (bundle_of(one) for one in (settings, with_standard))
    assert first.sha256 != second.sha256
    with tarfile.open(fileobj=io.BytesIO(second.archive)) as archive:
        packed = archive.extractfile("card_standard.toml")
        assert packed is not None
        assert packed.read() == standard_file("model_risk").read_bytes()


@pytest.fixture(scope="module")
def wine(settings):
    """Settings for a data set with neither time nor key."""
    return settings.model_copy(update={"dataset": "red_wine"})


@pytest.fixture(scope="module")
def of_wine(wine):
    return {flow: compile_definition(wine, flow) for flow in get_args(Flow)}


def test_definitions_of_another_data_set_speak_of_that_one(of_wine, kind):
    assert not re.search(r"(?i)\b(bike|rental|day|weather|season)s?\b|bikeshare", of_wine[kind])
    assert "redwine-local-" in of_wine[kind]


@pytest.mark.parametrize("flow", get_args(Flow))
def test_parameters_steer_what_is_declared(of_wine, flow):
    content = json.loads(of_wine[flow])
    parameters = {parameter["Name"]: parameter for parameter in content["Parameters"]}
    if flow == "scoring":
        # The model says how rows are prepared for it.
        assert not {"Profile", "Measures", "FirstLevels", "FeatureCount"} & set(parameters)
        return
    assert parameters["Profile"]["DefaultValue"] == "forecast"
    assert parameters["Profile"]["EnumValues"] == ["forecast", "complete", "distinct"]
    assert parameters["Measures"]["EnumValues"] == ["declared", "numbers", "bins"]
    assert parameters["FirstLevels"]["EnumValues"] == ["declared", "drop", "keep"]
    defaults = {name: parameters[name]["DefaultValue"] for name in ("Measures", "FirstLevels", "FeatureCount")}
    assert defaults == {"Measures": "declared", "FirstLevels": "declared", "FeatureCount": 0}
    assert parameters["MinimumRSquared"]["DefaultValue"] == 0.3
    steps = {step["Name"]: step["Arguments"] for step in steps_of(of_wine[flow])}
    arguments = steps["Preprocess"]["AppSpecification"]["ContainerArguments"]
    for name, parameter in (("--measures", "Measures"), ("--first-levels", "FirstLevels"), ("--profile", "Profile")):
        assert arguments[arguments.index(name) + 1] == {"Get": f"Parameters.{parameter}"}


def test_settings_give_the_parameters_their_defaults(settings):
    analysis = Analysis(profile="parity", measures="bins", first_levels="keep", feature_count=7)
    content = json.loads(compile_definition(settings.model_copy(update={"analysis": analysis}), "training"))
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in content["Parameters"]}
    found = [defaults[name] for name in ("Profile", "Measures", "FirstLevels", "FeatureCount")]
    assert found == ["parity", "bins", "keep", 7]


def test_scoring_prepares_rows_by_the_model_that_predicts_them(of_wine):
    steps = {step["Name"]: step["Arguments"] for step in steps_of(of_wine["scoring"])}
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in steps["Preprocess"]["ProcessingInputs"]}
    assert inputs["model"] == {"Get": "Steps.SelectModel.OutputParameters['model_data_url']"}


@pytest.mark.parametrize("figure", ["random", "chronological", "rolling"])
def test_the_gate_reads_the_figure_that_the_settings_name(settings, figure: str) -> None:
    quality = settings.quality.model_copy(update={"gate_figure": figure, "minimum_r_squared": 0.4})
    content = compile_definition(settings.model_copy(update={"quality": quality}), "training")
    steps = {step["Name"]: step for step in steps_of(content)}
    arguments = steps["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--gate-figure") + 1] == figure
    value = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Evaluation"}, "Path": f"validation.{figure}.r2",
        }
    }  # fmt: skip
    (condition, _) = steps["QualityGate"]["Arguments"]["Conditions"]
    assert condition["LeftValue"] == value
    message = steps["QualityGateFailed"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert message[1] == value
    assert ("random" in message[0]) == (figure == "random")
