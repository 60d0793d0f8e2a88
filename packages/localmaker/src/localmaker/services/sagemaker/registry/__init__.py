"""The model registry: packages, model cards and their exports."""
