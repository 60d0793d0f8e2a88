"""What runs one query, in a process of its own: it sees copies of the objects, and nothing of AWS."""
