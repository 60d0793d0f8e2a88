"""What the project's own roles may do."""
