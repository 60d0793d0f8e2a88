"""One room for each AWS service."""
