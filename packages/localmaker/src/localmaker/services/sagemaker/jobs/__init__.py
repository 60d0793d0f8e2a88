"""Processing, training and transform jobs that truly run on this machine, behind SageMaker's job APIs.

========================== ==========================================================================================
``handlers``               the operations: Create, Describe, List, Stop and Delete of each kind
``service``                :class:`~.service.JobService`: threads, stop, restart
``book``                   :class:`~.book.JobBook`: all records, and who may change them
``execution``              one job's directory, logs and instances around what its kind does
``validation``, ``shapes`` what a request must hold; responses in AWS's shapes
``resources``              the instances that a request asks for
``defaults``               what holds where a request says nothing
``records, transitions``   what is known about a job, how it changes, and the files that keep it
``processing``, ``training``, ``transform``
                           what each kind of job does, from its inputs to its outputs; the last two are folders
``models``                 which container and artefact a model name stands for
``running, following``     one job while it runs: its instances; their processes, time limit, stop signal
``sandbox, substitution``  a private ``/opt/ml``, with Linux namespaces or without
``guard``                  program: makes the namespaces, guards the process tree, bounds its memory and processes
``images, requirements``   which Python environment a job gets (built by ``localmaker.images.environments``)
``objects, archives``      S3 and tar archives, both from strangers
``inputs, pipes``          which objects an instance gets, by prefix or manifest; channels in Pipe mode
``continuous``             uploads while a job runs
``limits, tagging``        what a job may take of the machine; a job's tags
``logs``                   output to CloudWatch Logs
``failures, outcome``      how jobs end
========================== ==========================================================================================

What goes wrong inside a job becomes its ``FailureReason`` (:class:`~.failures.JobFailure`) and never
an exception for the caller. What is wrong with a request is an :class:`~localmaker.errors.AwsError`.
"""
