"""One read-only page of what the endpoint holds, for people: pipelines, executions, steps, buckets, groups, models.

It has no script: each link is a page of its own, and a page that shows something running asks to be loaded again. What
it shows comes from the AWS APIs, as for any other client.
"""
