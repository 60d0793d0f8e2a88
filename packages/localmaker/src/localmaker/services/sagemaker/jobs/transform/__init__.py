"""Batch transform: a model served in the sandbox, objects cut into requests for it, and its answers put together.

===================== ===============================================================================================
``job``               one job from its model to its last output
``settings``          batch strategy, payload and concurrency: of the request, else of the model, else by default
``objects``           the objects of one instance, several at a time
``splitting``         an object cut into requests; ``framed_records`` for RecordIO and TFRecord
``invocations``       requests under way, answers in order
``record_data``       InputFilter, JoinSource and OutputFilter; ``jsonpath`` is their language
``model_server``      program: serves a model inside a sandbox
``data_log``          what SageMaker itself logs of a job
===================== ===============================================================================================
"""
