"""The local AWS endpoint: the AWS APIs on 127.0.0.1, with no account and no Docker.

moto answers what moto implements; the operations registered with :func:`localmaker.http.operations.operation`
answer what it lacks or only pretends. Any AWS client works against it unchanged; ``AWS_ENDPOINT_URL`` is
the only difference.
"""
