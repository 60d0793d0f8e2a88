"""Plan and apply, whatever the resources are: compare, show, act in order."""
