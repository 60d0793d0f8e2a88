"""Batch transform: a model served in the sandbox, objects split into requests, and the answers assembled.

===================== ===============================================================================================
``job``               one job from its model to its last output
``models``            the container and artefact of a model
``settings``          batch strategy, payload and concurrency: of the request, else of the model, else by default
``objects``           the objects of one instance, several at a time, and SageMaker's own log of them
``splitting``         an object split into requests; ``framed_records`` for RecordIO and TFRecord
``invocations``       concurrent requests, answers in order
``record_data``       InputFilter, JoinSource and OutputFilter; ``jsonpath`` is their language
``model_server``      program: serves a model inside a sandbox
===================== ===============================================================================================
"""
