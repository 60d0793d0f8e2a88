"""The steps of executions.

======================== ============================================================================================
``run``                  one step from its start to its end, in a thread of its own
``table``                the current records of all steps of an execution
``attempts``             the input of one attempt, and how it can end; ``scope`` has the values of expressions
``kinds``                what each type of step does; ``callbacks``, ``lambdas``, ``lineage`` and ``tuning`` are apart
``requests``             the AWS requests that steps make
``experiments``          the experiment, trial and trial components of an execution
======================== ============================================================================================
"""
