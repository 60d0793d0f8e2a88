"""Whether an account would run this: questions that only read, and a probe of what can't be read."""
