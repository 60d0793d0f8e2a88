"""A step's arguments with samples for what only an execution knows."""

from pipeline.preflight.probe.samples import filled


def test_every_variable_gets_a_sample():
    arguments = {
        "Given": {"Get": "Parameters.Given"},
        "Missing": {"Get": "Parameters.Missing"},
        "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        "Card": {
            "Std:Join": {"On": "", "Values": ['{"r2": ', {"Std:JsonGet": {}}, ', "p": "', {"Get": "Steps.X"}, '"}']}
        },
        "Listed": [{"S3Uri": {"Std:Join": {"On": "/", "Values": ["a"]}}}, 1, None],
    }
    assert filled(arguments, {"Given": "yes", "Missing": None}, "s3://b/k") == {
        "Given": "yes",
        "Missing": "0.5",
        "ModelDataUrl": "s3://b/k",
        "Card": '{"r2": 0.5, "p": "0.5"}',
        "Listed": [{"S3Uri": "s3://b/k"}, 1, None],
    }
