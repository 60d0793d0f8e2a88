"""The model card of a version: its content, and what an organisation's own standard asks of it."""
