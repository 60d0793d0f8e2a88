"""What the SageMaker SDK asks of IAM before it creates anything."""


def test_every_action_is_allowed_as_it_is_here(endpoint):
    iam = endpoint.client("iam")
    answer = iam.simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/anybody",
        ActionNames=["sagemaker:CreateTrainingJob", "s3:GetObject"],
    )
    assert [(item["EvalActionName"], item["EvalDecision"]) for item in answer["EvaluationResults"]] == [
        ("sagemaker:CreateTrainingJob", "allowed"),
        ("s3:GetObject", "allowed"),
    ]
    assert answer["IsTruncated"] is False
