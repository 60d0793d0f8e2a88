"""Steps while they run.

======================== ============================================================================================
``run``                  one step from its start to its end, in a thread of its own; ``table`` is how all are now
``attempts``             what one attempt is given, and how it can end; ``scope`` has the values of expressions
``kinds``                what each type of step does; ``callbacks`` and ``lambdas`` have modules of their own
======================== ============================================================================================
"""
