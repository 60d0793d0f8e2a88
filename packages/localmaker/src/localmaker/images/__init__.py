"""Container images, and the Python environments that replace them locally."""
