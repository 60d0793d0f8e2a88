"""The processes of a job: started in a sandbox, supervised and limited."""
