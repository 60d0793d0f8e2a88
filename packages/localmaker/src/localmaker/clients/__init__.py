"""What runs in the programs that talk to the endpoint, not in the endpoint."""
