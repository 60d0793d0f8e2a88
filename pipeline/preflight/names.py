"""Names: what is there already under those of the environment, and whose it is."""

from collections.abc import Iterator

from pipeline.aws.clients import Aws
from pipeline.deploy.engine.resource import ForeignResource, Resource
from pipeline.preflight.answers import Answer, Verdict

#: Tags that say who made a resource.
_OWNERSHIP = ("project", "environment")


def name_answers(aws: Aws, resource: Resource) -> Iterator[Answer]:
    """Answer whether a resource's name is free or its own; a bucket of another account raises its own error."""
    about, current = f"{resource.kind} {resource.name}", resource.current(aws)
    if current is None:
        yield Answer(Verdict.OK, about, "free")
    elif isinstance(current, ForeignResource):
        yield Answer(Verdict.OK, about, current.reason)
    elif getattr(resource, "existing", False):
        yield Answer(Verdict.OK, about, "exists, as the settings say")
    elif "tags" not in current:
        yield Answer(
            Verdict.UNKNOWN, about, "exists; it has no tags that tell whose it is", "Was it deployed from here?"
        )
    elif all(current["tags"].get(key) == resource.tags.get(key) for key in _OWNERSHIP):
        yield Answer(Verdict.OK, about, "deployed by this project")
    else:
        detail = f"exists, and its tags ({', '.join(_OWNERSHIP)}) do not say that this environment made it"
        fix = "deploy would change somebody else's: set another `project` in the settings, or remove it."
        yield Answer(Verdict.PROBLEM, about, detail, fix)
