"""Settings of an environment, and the names that follow from them."""
