"""Notebook instances: what is stored of them, their lifecycle configurations, and what a start does."""
