"""SageMaker pipelines that really execute, behind the ordinary AWS operations.

======================= =============================================================================================
``handlers, service``   the operations; :class:`~.service.PipelineService` puts the parts below together
``catalog``             pipelines and their versions
``executions``          executions: start, stop, retry, the queue, the engine that runs one
``steps``               steps: attempts, retries, caching, and what each type of step does
``callback_tokens``     tokens of callback steps that wait for an answer
``store, records``      the SQLite file, and what is kept in it
``views, events``       records as responses and as EventBridge events
``naming``              ARNs, identifiers, job names and times
``ports``               what executions need from outside
======================= =============================================================================================

The definition language itself, with its graph, expressions and conditions, is :mod:`pipedef.language`.
"""
