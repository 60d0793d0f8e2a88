"""Code shared by the step scripts: reading, features, the model, its evaluation and the report."""
