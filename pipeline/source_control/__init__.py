"""The connection to a Git repository: a notebook instance that pulls on every start, and never loses work."""
