"""The project's name, in its only place beside ``pyproject.toml``, which names the command and the distribution.

Messages, resources, environment variables of settings and caches follow from it. CONTRIBUTING.md says how a copy is
renamed.
"""

NAME = "bikeshare"
"""Small letters, digits and hyphens."""

DISTRIBUTION = f"{NAME}-pipeline"
"""What pip calls the package."""
