"""Container images and the Python environments that stand in for them."""
