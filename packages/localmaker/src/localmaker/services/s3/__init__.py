"""S3, where it differs from moto's.

``buckets``, ``objects``, ``multipart``: what S3 does with them and answers; ``refusals``: requests that it refuses;
``events``: what it reports of its objects.
"""
