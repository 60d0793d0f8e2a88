"""The container image of jobs and models, for those who compile nothing."""

from pipeline.definition.sdk import offline_sdk


def pinned_image(region: str) -> str:
    """Return the scikit-learn image that jobs and models of a region run in. Imports the SDK, which takes seconds."""
    with offline_sdk(region):
        from pipeline.definition import context

        return context.image_uri(region)
