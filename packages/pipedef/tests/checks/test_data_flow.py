"""Which rows a model learns from, and on which it is judged."""

import pytest

CHECKS = ["fit-after-split", "evaluated-on-test-rows", "quality-gate", "no-refit-at-scoring"]
OUTPUT = "Steps.Preprocess.ProcessingOutputConfig.Outputs['{}'].S3Output.S3Uri"


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", CHECKS)
def test_good_pipelines_pass(problems, request, flow, check):
    assert problems(check, request.getfixturevalue(flow)) == []


def channel(draft):
    return draft.arguments("Train")["InputDataConfig"][0]["DataSource"]["S3DataSource"]


def test_fitting_before_the_split_is_found(training, problems):
    channel(training)["S3Uri"] = "s3://raw/raw/training/day.csv"
    (found,) = problems("fit-after-split", training)
    assert (found.step, found.field) == ("Train", "Arguments.InputDataConfig[0].DataSource.S3DataSource.S3Uri")
    assert "before the split" in found.message


@pytest.mark.parametrize("output", ["test", "scoring"])
def test_fitting_on_rows_that_are_not_for_training_is_found(training, problems, output):
    channel(training)["S3Uri"] = {"Get": OUTPUT.format(output)}
    (found,) = problems("fit-after-split", training)
    assert f"output {output!r} of Preprocess" in found.message


def test_fitting_in_a_processing_job_is_found(training, problems):
    training.arguments("IngestFeatures")["AppSpecification"]["ContainerEntrypoint"][-1] = "train.py"
    (found,) = problems("fit-after-split", training)
    assert found.step == "IngestFeatures"


def test_a_model_judged_on_its_training_rows_is_found(training, problems):
    training.input("Evaluate", "test")["S3Uri"] = {"Get": OUTPUT.format("train")}
    (found,) = problems("evaluated-on-test-rows", training)
    assert (found.step, found.field) == ("Evaluate", "Arguments.ProcessingInputs[3].S3Input.S3Uri")
    assert "rows that its training left out" in found.message


def test_a_model_judged_on_all_rows_is_found(training, problems):
    training.input("Evaluate", "test")["S3Uri"] = {"Get": OUTPUT.format("scoring")}
    assert len(problems("evaluated-on-test-rows", training)) == 1


def test_an_evaluation_without_test_rows_is_found(training, problems):
    inputs = training.arguments("Evaluate")["ProcessingInputs"]
    inputs[:] = [item for item in inputs if item["InputName"] != "test"]
    (found,) = problems("evaluated-on-test-rows", training)
    assert "is nothing" in found.message


def test_registering_without_a_gate_is_found(training, problems):
    register = training.step("RegisterModel")
    training.arguments("QualityGate")["IfSteps"].remove(register)
    training.arguments("IsNewInput")["IfSteps"].append(register)
    (found,) = problems("quality-gate", training)
    assert found.step == "RegisterModel"
    assert "whatever its evaluation says" in found.message


def test_registering_in_the_branch_of_the_refused_is_found(training, problems):
    gate = training.arguments("QualityGate")
    gate["IfSteps"], gate["ElseSteps"] = gate["ElseSteps"], gate["IfSteps"]
    assert [problem.step for problem in problems("quality-gate", training)] == ["RegisterModel"]


def test_fitting_at_scoring_is_found(training, scoring, problems):
    scoring.arguments("IsNewInput")["IfSteps"].append(training.step("Train"))
    (found,) = problems("no-refit-at-scoring", scoring)
    assert (found.step, found.message) == ("Train", "A pipeline that scores fits a model.")


def test_scoring_with_a_model_that_nobody_approved_is_found(training, scoring, problems):
    scoring.arguments("CreateModel")["PrimaryContainer"] = training.arguments("CreateModel")["PrimaryContainer"]
    (found,) = problems("no-refit-at-scoring", scoring)
    assert (found.step, found.field) == ("CreateModel", "Arguments.PrimaryContainer")


def test_registering_at_scoring_is_found(training, scoring, problems):
    scoring.arguments("IsNewInput")["IfSteps"].append(training.step("RegisterModel"))
    assert [problem.step for problem in problems("no-refit-at-scoring", scoring)] == ["RegisterModel"]


def test_scoring_on_rows_prepared_for_training_is_found(scoring, problems):
    arguments = scoring.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    arguments[arguments.index("--purpose") + 1] = "training"
    (found,) = problems("no-refit-at-scoring", scoring)
    assert (found.step, found.fix) == ("Preprocess", "Pass --purpose scoring.")


def test_fitting_beside_a_model_of_the_registry_is_found(training, scoring, problems):
    steps = [scoring.step("CreateModel"), scoring.step("Transform")]
    scoring.content["Steps"] = steps
    assert problems("no-refit-at-scoring", scoring) == []
    steps.append(training.step("Train"))
    (found,) = problems("no-refit-at-scoring", scoring)
    assert (found.step, found.field) == ("Train", "Type")


def test_training_on_rows_prepared_for_scoring_is_found(training, problems):
    arguments = training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    del arguments[arguments.index("--purpose") : arguments.index("--purpose") + 2]
    (found,) = problems("no-refit-at-scoring", training)
    assert found.step == "Preprocess"


@pytest.fixture
def named_otherwise(training):
    """Rename the pipeline's scripts, and bring the code as the SDK's ModelTrainer does."""
    for step, script in (("Preprocess", "prepare.py"), ("Evaluate", "judge.py")):
        training.arguments(step)["AppSpecification"]["ContainerEntrypoint"][-1] = script
    train = training.arguments("Train")
    del train["HyperParameters"]["sagemaker_program"], train["HyperParameters"]["sagemaker_submit_directory"]
    start = "chmod +x /opt/ml/input/data/sm_drivers/sm_train.sh && /opt/ml/input/data/sm_drivers/sm_train.sh"
    train["AlgorithmSpecification"].update(ContainerEntrypoint=["/bin/bash"], ContainerArguments=["-c", start])
    for name in ("code", "sm_drivers"):
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://artifacts/fit/input/{name}"}}
        train["InputDataConfig"].append({"ChannelName": name, "DataSource": source})
    return training


@pytest.mark.parametrize("check", CHECKS)
def test_pipelines_with_other_scripts_pass(problems, named_otherwise, check):
    assert problems(check, named_otherwise) == []


def test_rows_for_validation_are_for_fitting(problems, named_otherwise):
    outputs = named_otherwise.arguments("Preprocess")["ProcessingOutputConfig"]["Outputs"]
    outputs.append({**outputs[0], "OutputName": "validation"})
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": {"Get": OUTPUT.format("validation")}}}
    named_otherwise.arguments("Train")["InputDataConfig"].append({"ChannelName": "validation", "DataSource": source})
    assert problems("fit-after-split", named_otherwise) == []


def test_pipelines_with_other_scripts_are_looked_through(problems, named_otherwise):
    channel(named_otherwise)["S3Uri"] = {"Get": OUTPUT.format("test")}
    assert [problem.step for problem in problems("fit-after-split", named_otherwise)] == ["Train"]
    register = named_otherwise.step("RegisterModel")
    named_otherwise.arguments("QualityGate")["IfSteps"].remove(register)
    named_otherwise.content["Steps"].append(register)
    assert [problem.step for problem in problems("quality-gate", named_otherwise)] == ["RegisterModel"]


def test_rows_that_come_split_are_nobodys_fault(problems, named_otherwise):
    outputs = named_otherwise.arguments("Preprocess")["ProcessingOutputConfig"]["Outputs"]
    outputs[:] = [item for item in outputs if item["OutputName"] != "test"]
    channel(named_otherwise)["S3Uri"] = "s3://warehouse/training/rows"
    assert problems("fit-after-split", named_otherwise) == []


@pytest.mark.parametrize("output", ["train", "train.csv below train"])
def test_a_script_of_another_name_that_judges_on_training_rows_is_found(problems, named_otherwise, output):
    rows = {"Get": OUTPUT.format("train")}
    below = {"Std:Join": {"On": "/", "Values": [rows, "train.csv"]}}
    named_otherwise.input("Evaluate", "test")["S3Uri"] = rows if output == "train" else below
    (found,) = problems("evaluated-on-test-rows", named_otherwise)
    assert (found.step, found.field) == ("Evaluate", "Arguments.ProcessingInputs[3].S3Input.S3Uri")
    assert "which it has learned from" in found.message


def numbered(draft):
    """Number the evaluation's inputs as the SDK does, model and test rows, so that their names say nothing."""
    inputs = draft.arguments("Evaluate")["ProcessingInputs"]
    inputs[:] = [item for item in inputs if item["InputName"] in {"code", "model", "test"}]
    for index, item in enumerate(inputs[1:], start=1):
        item["InputName"] = f"input-{index}"
    return draft.input("Evaluate", "input-2")


@pytest.mark.parametrize("pipeline", ["training", "named_otherwise"])
def test_inputs_may_be_numbered(problems, request, pipeline):
    draft = request.getfixturevalue(pipeline)
    numbered(draft)
    assert problems("evaluated-on-test-rows", draft) == []


@pytest.mark.parametrize("pipeline", ["training", "named_otherwise"])
def test_a_numbered_input_of_training_rows_is_found(problems, request, pipeline):
    draft = request.getfixturevalue(pipeline)
    numbered(draft)["S3Uri"] = {"Get": OUTPUT.format("train")}
    (found,) = problems("evaluated-on-test-rows", draft)
    assert found.step == "Evaluate"


def test_judging_on_what_the_rows_were_split_from_is_found(problems, named_otherwise):
    numbered(named_otherwise)["S3Uri"] = named_otherwise.input("Preprocess", "raw")["S3Uri"]
    (found,) = problems("evaluated-on-test-rows", named_otherwise)
    assert found.field == "Arguments.ProcessingInputs[2].S3Input.S3Uri"


def test_rows_that_come_split_are_told_apart_by_their_places(problems, named_otherwise):
    channel(named_otherwise)["S3Uri"] = "s3://warehouse/training/rows"
    rows = numbered(named_otherwise)
    rows["S3Uri"] = "s3://warehouse/test/rows"
    assert problems("evaluated-on-test-rows", named_otherwise) == []
    rows["S3Uri"] = "s3://warehouse/training/rows/"
    assert len(problems("evaluated-on-test-rows", named_otherwise)) == 1


def test_predictions_for_training_rows_are_found(training, problems):
    model = training.step("CreateModel")
    data = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    model["Arguments"]["PrimaryContainer"] = {"Image": "own:1.0", "ModelDataUrl": data}
    source = training.arguments("Transform")["TransformInput"]["DataSource"]["S3DataSource"]
    assert problems("evaluated-on-test-rows", training) == []
    source["S3Uri"] = {"Std:Join": {"On": "/", "Values": [{"Get": OUTPUT.format("train")}, "train.csv"]}}
    (found,) = problems("evaluated-on-test-rows", training)
    assert (found.step, found.field) == (
        "Transform",
        "Arguments.TransformInput.DataSource.S3DataSource.S3Uri",
    )


def tuning(draft, rows):
    job = {"InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": rows}}}]}
    draft.content["Steps"].append({"Name": "Tune", "Type": "Tuning", "Arguments": {"TrainingJobDefinition": job}})


def test_a_tuning_on_test_rows_is_found(training, problems):
    tuning(training, {"Get": OUTPUT.format("train")})
    assert problems("fit-after-split", training) == []
    training.step("Tune")["Arguments"]["TrainingJobDefinition"]["InputDataConfig"][0]["DataSource"]["S3DataSource"][
        "S3Uri"
    ] = {"Get": OUTPUT.format("test")}
    (found,) = problems("fit-after-split", training)
    assert found.step == "Tune"
    assert found.field.startswith("Arguments.TrainingJobDefinition.InputDataConfig[0].")


@pytest.mark.parametrize(
    "source",
    [
        {"Get": "Steps.Preprocess.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"},
        {"Std:Join": {"On": "/", "Values": [{"Get": OUTPUT.format("train")}, "train.csv"]}},
    ],
)
def test_training_rows_may_be_named_in_other_ways(training, problems, source):
    channel(training)["S3Uri"] = source
    assert problems("fit-after-split", training) == []


def test_a_model_to_go_on_from_is_no_rows(training, problems):
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/base/model.tar.gz"}}
    training.arguments("Train")["InputDataConfig"].append({"ChannelName": "model", "DataSource": source})
    assert problems("fit-after-split", training) == []
