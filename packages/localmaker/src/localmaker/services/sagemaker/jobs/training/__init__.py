"""Training jobs.

===================== ===============================================================================================
``job``               channels down, the program, model and output up
``script_mode``       the scikit-learn image's own entry point
``outputs``           what a job leaves, while it runs and at its end
``metrics``           figures found in its output
``warm_pools``        what it keeps for the next of its kind
===================== ===============================================================================================
"""
