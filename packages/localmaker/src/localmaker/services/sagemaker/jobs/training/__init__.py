"""Training jobs.

===================== ===============================================================================================
``job``               channels down, the program, model and output up
``script_mode``       the scikit-learn image's own entry point
``outputs``           what a job stores, while it runs and at its end
``metrics``           metrics found in its output
``warm_pools``        instances kept for the next job, as the API shows them
===================== ===============================================================================================
"""
