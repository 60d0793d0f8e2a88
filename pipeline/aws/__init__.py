"""The one boundary to AWS."""
