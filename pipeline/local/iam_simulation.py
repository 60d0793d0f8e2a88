"""``iam:SimulatePrincipalPolicy``, which moto lacks and the SageMaker SDK v3 asks before it creates anything.

The endpoint enforces no IAM policy, so the answer is what would happen here: everything is allowed. Whether a role
would do on AWS is told by a policy simulation there, and for this project's own roles by ``bikeshare validate``.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse


def answer_policy_simulations() -> None:
    """Give moto's IAM the operation, for the whole process; doing it again changes nothing."""
    IamResponse.simulate_principal_policy = _simulate_principal_policy


def _simulate_principal_policy(response: Any) -> ActionResult:
    actions = response._get_param("ActionNames", [])  # noqa: SLF001 - how moto's responses read a request
    resources = response._get_param("ResourceArns", []) or ["*"]  # noqa: SLF001
    return ActionResult(
        {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": "allowed",
                    "MatchedStatements": [],
                    "MissingContextValues": [],
                }
                for action in actions
                for resource in resources
            ],
            "IsTruncated": False,
        }
    )
