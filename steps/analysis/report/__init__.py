"""The run report as one HTML file."""
