"""The processes of a job: started in a sandbox, followed, limited, logged."""
