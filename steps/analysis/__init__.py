"""What the step scripts share. Importing the package imports nothing: each module is taken by name, so that
inference starts with numpy and pandas alone."""
