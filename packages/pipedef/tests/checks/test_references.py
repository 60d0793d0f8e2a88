"""References to steps, properties, property files and parameters."""

import pytest


def point_at(draft, text):
    draft.input("IngestFeatures", "claim")["S3Uri"] = {"Get": text}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("Steps.Missing.ModelArtifacts.S3ModelArtifacts", "no step Missing"),
        ("Steps.Train.ModelArtefacts", "has no property ModelArtefacts"),
        ("Steps.Preprocess.ProcessingOutputConfig.Outputs['trian'].S3Output.S3Uri", "has no output trian"),
        ("Execution.PipelineExecutionName", "no execution variable PipelineExecutionName"),
        ("Pipeline.Name", "is not a reference"),
    ],
)
def test_references_to_nothing_are_found(training, problems, reference, words):
    assert problems("references", training) == []
    point_at(training, reference)
    (found,) = problems("references", training)
    assert (found.step, found.field) == ("IngestFeatures", "Arguments.ProcessingInputs[2].S3Input.S3Uri")
    assert words in found.message


def test_a_dependency_on_no_step_is_found(training, problems):
    training.step("CreateModel")["DependsOn"] = ["RegisterModels"]
    (found,) = problems("references", training)
    assert (found.step, found.field) == ("CreateModel", "DependsOn[0]")


def test_the_experiment_is_looked_at_too(training, problems):
    training.content["PipelineExperimentConfig"] = {"ExperimentName": "bikes", "TrialName": {"Get": "Execution.Id"}}
    (found,) = problems("references", training)
    assert found.field == "PipelineExperimentConfig.TrialName"


def test_a_property_file_that_no_step_declares_is_found(training, problems):
    assert problems("property-files", training) == []
    del training.step("Evaluate")["PropertyFiles"]
    found = problems("property-files", training)
    assert {problem.step for problem in found} >= {"QualityGate", "RegisterModel"}
    assert "declares no property file Evaluation" in found[0].message


def test_a_property_file_is_missed_where_it_is_read(training, problems):
    condition = training.arguments("QualityGate")["Conditions"][0]
    condition["LeftValue"]["Std:JsonGet"]["PropertyFile"]["Get"] = "Steps.Evaluate.PropertyFiles.Nothing"
    assert "Arguments.Conditions[0].LeftValue" in [found.field for found in problems("property-files", training)]


def test_a_property_file_in_an_output_that_is_not_there_is_found(training, problems):
    training.step("Evaluate")["PropertyFiles"][0]["OutputName"] = "evaluations"
    (found,) = problems("property-files", training)
    assert (found.step, found.field) == ("Evaluate", "PropertyFiles[0].OutputName")


def test_an_undeclared_parameter_is_found(training, problems):
    assert problems("parameters-declared", training) == []
    training.content["Parameters"] = [item for item in training.content["Parameters"] if item["Name"] != "Profile"]
    found = problems("parameters-declared", training)
    assert {problem.step for problem in found} >= {"Preprocess", "Train"}
    assert "Profile is used and not declared" in found[0].message


def test_an_unused_parameter_is_found(training, problems):
    assert problems("parameters-used", training) == []
    training.content["Parameters"].append({"Name": "Spare", "Type": "String", "DefaultValue": ""})
    (found,) = problems("parameters-used", training)
    assert "Spare is declared and no step uses it" in found.message


def test_an_output_that_a_lambda_step_declares_is_known(training, problems):
    training.content["Steps"].append(
        {
            "Name": "Decide",
            "Type": "Lambda",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:decide",
            "Arguments": {},
            "OutputParameters": [{"OutputName": "place", "OutputType": "String"}],
        }
    )
    point_at(training, "Steps.Decide.OutputParameters['place']")
    assert problems("references", training) == []
    point_at(training, "Steps.Decide.OutputParameters['other']")
    assert "has no property" in problems("references", training)[0].message


FUNCTION = "arn:aws:lambda:eu-west-1:444455556666:function:notify"


def lambda_step(**more):
    return {
        "Name": "Notify",
        "Type": "Lambda",
        "FunctionArn": FUNCTION,
        "Arguments": {},
        "OutputParameters": [],
        **more,
    }


def test_references_beside_the_arguments_are_looked_at_too(training, problems):
    training.content["Steps"].append(lambda_step(FunctionArn={"Get": "Parameters.Function"}))
    (found,) = problems("parameters-declared", training)
    assert (found.step, found.field) == ("Notify", "FunctionArn")
    training.content["Parameters"].append({"Name": "Function", "Type": "String", "DefaultValue": FUNCTION})
    assert problems("parameters-declared", training) == []
    assert problems("parameters-used", training) == []


def test_a_parameter_of_the_experiment_is_used(training, problems):
    training.content["Parameters"].append({"Name": "Experiment", "Type": "String", "DefaultValue": "bikes"})
    training.content["PipelineExperimentConfig"] = {"ExperimentName": {"Get": "Parameters.Experiment"}}
    assert problems("parameters-used", training) == []


def test_properties_of_steps_that_only_aws_runs_pass(training, problems):
    tuning = {"Name": "Tune", "Type": "Tuning", "Arguments": {"HyperParameterTuningJobConfig": {"Strategy": "Random"}}}
    best = {"best": {"Get": "Steps.Tune.BestTrainingJob.TrainingJobName"}}
    training.content["Steps"] += [tuning, lambda_step(Arguments=best)]
    assert problems("references", training) == []


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("Profile", {"Type": "Text"}, "Type"),
        ("RandomState", {"DefaultValue": "1"}, "DefaultValue"),
        ("RandomState", {"DefaultValue": 1.5}, "DefaultValue"),
        ("RandomState", {"DefaultValue": True}, "DefaultValue"),
        ("Profile", {"EnumValues": ["forecast", 1]}, "EnumValues[1]"),
        ("Profile", {"EnumValues": "forecast"}, "EnumValues"),
    ],
)
def test_a_default_of_another_type_is_found(training, problems, name, change, field):
    assert problems("parameter-types", training) == []
    training.parameter(name).update(change)
    (found,) = problems("parameter-types", training)
    assert found.field.endswith(f"].{field}")
    assert name in found.message


def test_a_step_behind_a_fail_step_is_found(training, problems):
    training.step("Transform")["DependsOn"] = ["QualityGateFailed"]
    (found,) = problems("references", training)
    assert (found.step, found.field) == ("Transform", "DependsOn[0]")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("Steps.Preprocess.ProcessingOutputConfig.Outputs[40].S3Output.S3Uri", "has no output 40"),
        ("Steps.Preprocess.ProcessingInputs['nothing'].S3Input.S3Uri", "has no input nothing"),
        ("Steps.Train.InputDataConfig['nothing'].DataSource.S3DataSource.S3Uri", "has no input nothing"),
    ],
)
def test_an_input_or_output_that_is_not_there_is_found(training, problems, reference, words):
    training.input("Evaluate", "test")["S3Uri"] = {"Get": reference}
    (found,) = problems("references", training)
    assert words in found.message


def test_an_output_may_be_counted(training, problems):
    counted = "Steps.Preprocess.ProcessingOutputConfig.Outputs[1].S3Output.S3Uri"
    training.input("Evaluate", "test")["S3Uri"] = {"Get": counted}
    assert problems("references", training) == []


def test_an_undeclared_parameter_of_the_experiment_is_found(training, problems):
    training.content["PipelineExperimentConfig"] = {"ExperimentName": {"Get": "Parameters.Nothing"}}
    (found,) = problems("parameters-declared", training)
    assert found.field == "PipelineExperimentConfig.ExperimentName"


def test_a_step_in_the_name_of_the_experiment_is_found(training, problems):
    training.content["PipelineExperimentConfig"] = {"ExperimentName": {"Get": "Steps.Train.TrainingJobName"}}
    (found,) = problems("references", training)
    assert found.field == "PipelineExperimentConfig.ExperimentName"


@pytest.mark.parametrize(
    ("property_name", "found"),
    [
        ("BestTrainingJob.TrainingJobName", []),
        ("TrainingJobSummaries[0].TrainingJobName", []),
        ("BestTrainingJob.Name", ["TrainingJobName"]),
        ("Best", ["BestTrainingJob"]),
    ],
)
def test_properties_of_a_tuning_are_known(training, problems, property_name, found):
    training.content["Steps"].append({"Name": "Tune", "Type": "Tuning", "Arguments": {}})
    training.arguments("Evaluate")["Environment"]["JOB"] = {"Get": f"Steps.Tune.{property_name}"}
    fixes = [problem.fix for problem in problems("references", training)]
    assert len(fixes) == len(found)
    assert all(name in fix for fix, name in zip(fixes, found, strict=True))


def test_a_misspelt_property_is_answered_with_the_right_one(training, problems):
    training.arguments("Evaluate")["Environment"]["JOB"] = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifact"}
    (found,) = problems("references", training)
    assert found.fix == "Read what is there: S3ModelArtifacts."
