"""What a script needs inside a job: the container's paths, AWS, errors, files."""
