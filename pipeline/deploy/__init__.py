"""Deployment as plan, then apply: each AWS resource kind is one small module here."""
