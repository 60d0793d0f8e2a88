"""The data that goes into a job and comes out of it: objects, channels, pipes, archives."""
