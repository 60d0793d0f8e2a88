"""Run strangers' projects on the endpoint, and write what became of each into ``docs/compatibility.md``."""
