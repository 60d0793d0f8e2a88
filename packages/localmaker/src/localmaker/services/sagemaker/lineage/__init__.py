"""Lineage: what jobs, model packages and endpoints were made of, and what users have added to that.

======================= =============================================================================================
``graph``               entities and their associations; how far a query goes
``derived``             pure: the entities of a job, a model package or an endpoint, from their descriptions
``collecting``          the graph of a region as it is now
``stored``              entities and associations that users have created
``entities``            operations on artifacts, actions and contexts
``associations``        operations on associations, and QueryLineage
``trial_components``    trial components of jobs, beside those that moto has
======================= =============================================================================================

Nothing is written while jobs run: the graph follows from what is stored of them anyway, so it is never behind, and what
is deleted is no longer in it.
"""
