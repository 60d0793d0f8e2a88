"""Steps that call a Lambda function, which starts in well under a second where a job takes minutes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.lambda_helper import Lambda
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep

from pipeline.definition.context import StepContext, Value
from pipeline.settings.contract import Function


def function_step(
    context: StepContext,
    name: str,
    function: Function,
    *,
    description: str,
    inputs: Mapping[str, Value],
    outputs: Sequence[str],
    depends_on: Sequence[Any] = (),
) -> LambdaStep:
    """Create a step whose event is ``inputs``, and whose answer holds ``outputs``, each a text.

    ``depends_on`` are steps that it reads nothing of, and runs after.

    No retry policy covers such a step ("Retry policy for pipeline steps", developer guide): the functions repeat their
    own AWS calls.
    """
    return LambdaStep(
        name=name,
        description=description,
        # By its ARN alone: deployment creates the function, and compiling calls no API.
        lambda_func=Lambda(function_arn=context.settings.function_arn(function), session=context.session),
        # The execution is in the event of each, so that the lines of its calls can be found in the log.
        inputs={**inputs, "execution-arn": context.execution_arn},
        outputs=[LambdaOutput(output, LambdaOutputTypeEnum.String) for output in outputs],
        depends_on=list(depends_on) or None,
    )


def output(step: LambdaStep, name: str) -> Value:
    """Return the pipeline variable for an output parameter of a function's step."""
    return step.properties.Outputs[name]
