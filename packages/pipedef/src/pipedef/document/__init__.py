"""A definition as the checks look at it: text, values, steps with their place in the JSON, and the code they run."""
