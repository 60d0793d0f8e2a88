"""SageMaker Pipelines as code: a CSV lands in S3, predictions come back, on AWS or whole on one machine."""

from pipeline.step_code import make_importable

make_importable()
