"""What the resources of a connection are called."""

from __future__ import annotations

from pipeline.settings.environment import Settings


class Names:
    """The names that follow from an environment's settings."""

    def __init__(self, settings: Settings) -> None:
        prefix = settings.prefix
        self.code_repository = f"{prefix}-github"
        self.start_script = f"{prefix}-pull-on-start"
        self.notebook = self.role = f"{prefix}-notebook"
        self.role_arn = settings.role_arn(self.role)
        #: SageMaker's own policies let read secrets of that beginning.
        self.secret = f"AmazonSageMaker-{prefix}-github"
        #: A pattern: Secrets Manager adds six characters to the name.
        self.secret_arn = settings.arn("secretsmanager", f"secret:{self.secret}-??????")
