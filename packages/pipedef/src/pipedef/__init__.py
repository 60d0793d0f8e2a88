"""The definition language of SageMaker Pipelines, and a linter for it."""
