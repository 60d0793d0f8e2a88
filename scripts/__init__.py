"""Programs that an operator or a data scientist runs by hand, one job each.

``python scripts/<name>.py --help`` works from any directory. They use the steps' own code (the package ``analysis`` and
the step scripts), so that data prepared and predictions made by hand equal the pipeline's. ``steps/`` runs in
containers and is not installed in this environment, so each program puts it on the import path.
"""
