"""Hyperparameter tuning jobs: each starts real training jobs with chosen values, and finds the best of them.

======================= =============================================================================================
``handlers``            the operations
``service``             :class:`~.service.TuningJobs`: create, stop, describe, list, delete, restart
``run``                 one tuning job from its start to its end, with as many threads as it trains in parallel
``ending``              pure: whether further training jobs start, and how a tuning job ends
``choosing``            the values of the next training job: random, grid, Bayesian
``ranges``              the ranges of a request, and their values as text
``definitions``         the training jobs that a request describes
``validation``          checks of a Create request
``records, shapes``     the record of a tuning job; records as AWS's responses
======================= =============================================================================================

Training jobs are those of :mod:`~localmaker.services.sagemaker.jobs`, with the metrics found in their logs.
"""
