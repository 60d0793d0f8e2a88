"""Executions of pipelines.

======================== ============================================================================================
``operations``           what the operations ask for, and the queue of executions over the limit
``starting, selection``  the record of a new execution; which steps a selective execution runs
``engine``               runs one execution in a thread of its own, under its role
``progress``             which steps may run next, and how an execution ends
======================== ============================================================================================
"""
