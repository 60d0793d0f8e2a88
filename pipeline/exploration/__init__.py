"""What the notebooks call: a session, the pipeline's programs run on this machine, tables and figures of both."""
