"""What came out: predictions, reports, the model registry."""
