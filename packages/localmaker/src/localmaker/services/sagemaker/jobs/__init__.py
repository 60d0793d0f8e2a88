"""Processing, training and transform jobs that really run on this machine, behind SageMaker's job APIs.

============================ ========================================================================================
``handlers``                 the operations: Create, Describe, List, Stop and Delete of each kind
``service``                  :class:`~.service.JobService`: threads, stop, restart
``store``, ``records``       every job that ever ran, in memory and in files; how a record changes
``kinds``, ``requests``      what differs between kinds; instances, output key and defaults of a request
``validation``, ``shapes``   checks of requests; responses in AWS's shapes
``execution``                one job's directory, logs and instances around the code of its kind
``outcome``, ``failures``    how jobs end
``processing``, ``training``, ``transform``
                             the code of each kind, from its inputs to its outputs
``data``                     S3 and archives, inputs by prefix or manifest, pipes, uploads while a job runs
``sandbox``                  a private ``/opt/ml``, and the processes in it: limits, time limit, stop signal
``guard``                    program: creates the namespaces, guards the process tree, enforces its limits
============================ ========================================================================================

Which Python environment a job gets is decided by :mod:`localmaker.images`. What goes wrong inside a job becomes its
``FailureReason`` (:class:`~.failures.JobFailure`) and never an exception for the caller. What is wrong with a request
is an :class:`~localmaker.errors.AwsError`.
"""
