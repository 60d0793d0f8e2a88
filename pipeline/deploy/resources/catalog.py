"""The Glue database that holds the tables of predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State


@dataclass(frozen=True)
class Database(Resource):
    """One Glue database; its name is lower case, with underscores: Athena takes that without quotes."""

    kind = "database"
    tag_api = tags.GLUE
    arn: str
    description: str

    def _desired(self) -> State:
        return {"description": self.description}

    def _describe(self, aws: Aws) -> Any:
        return aws.glue.get_database(Name=self.name)["Database"]

    def _state(self, aws: Aws, found: Any) -> State:
        return {"description": found.get("Description", "")}

    def _tagged_as(self, found: Any) -> str:
        return self.arn

    def _input(self) -> dict[str, str]:
        return {"Name": self.name, "Description": self.description}

    def create(self, aws: Aws) -> None:
        """Create the database."""
        aws.glue.create_database(DatabaseInput=self._input(), Tags=dict(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        aws.glue.update_database(Name=self.name, DatabaseInput=self._input())

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        # Our tables have gone before; what is left is somebody else's.
        if aws.glue.get_tables(DatabaseName=self.name, MaxResults=1)["TableList"]:
            return Removal.NOT_OURS
        aws.glue.delete_database(Name=self.name)
        return Removal.REMOVED
