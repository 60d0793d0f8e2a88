"""The job around a script: the container's paths, AWS, errors, files, the claimed upload."""
