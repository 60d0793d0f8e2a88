"""From a checked table to the model's inputs."""
