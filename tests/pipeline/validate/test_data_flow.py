import pytest

pytestmark = pytest.mark.xdist_group("validate")

CHECKS = ["fit-after-split", "evaluated-on-test-rows", "quality-gate", "no-refit-at-scoring"]
OUTPUT = "Steps.Preprocess.ProcessingOutputConfig.Outputs['{}'].S3Output.S3Uri"


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", CHECKS)
def test_our_pipelines_pass(problems, request, flow, check):
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


def test_training_on_rows_prepared_for_scoring_is_found(training, problems):
    arguments = training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    del arguments[arguments.index("--purpose") : arguments.index("--purpose") + 2]
    (found,) = problems("no-refit-at-scoring", training)
    assert found.step == "Preprocess"
