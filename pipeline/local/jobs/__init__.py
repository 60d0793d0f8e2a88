"""Processing, training and transform jobs that truly run on this machine, behind SageMaker's job APIs.

========================== ==========================================================================================
``handlers``               the operations: Create, Describe, List and Stop of each kind
``service``                :class:`~pipeline.local.jobs.service.JobService`: threads, records, stop, restart
``validation``, ``shapes`` what a request must hold; responses in AWS's shapes
``records, transitions``   what is known about a job, how it changes, and the files that keep it
``processing``             what each kind of job does, from its inputs to its outputs
``training, script_mode``
``transform, models,
invocations, splitting``
``model_server``           program: serves a model inside a sandbox
``running``                one job while it runs: process, time limit, stop signal, log
``sandbox, substitution``  a private ``/opt/ml``, with Linux namespaces or without
``launcher``               program: makes the namespaces and guards the process tree
``images, requirements``   which Python environment a job gets (built by ``pipeline.local.environments``)
``objects, archives``      S3 and tar archives, both from strangers
``logs, metrics``          output to CloudWatch Logs; metrics found in it
``failures, outcome``      how jobs end
========================== ==========================================================================================

What goes wrong inside a job becomes its ``FailureReason`` (:class:`~pipeline.local.jobs.failures.JobFailure`) and never
an exception for the caller. What is wrong with a request is an :class:`~pipeline.local.errors.AwsError`.
"""
