"""SageMaker pipelines that really execute, behind the ordinary AWS operations.

Layers, from pure to stateful; each imports only what stands above it::

    definitions                    the definition JSON: read, checked, its references and conditions evaluated; which
                                   step waits for which
    selection                      which steps a selective execution runs
    records                        what is remembered
    store                          the SQLite file of it; ``stored_pipelines`` and ``stored_executions`` are its parts
    tokens, versions               requests that are repeated, versions and their aliases
    functions                      local Python functions that stand in for Lambda functions
    steps                          one step: attempts, retries, caching, and what each type of step does
    experiments                    the experiment, trial and trial components of an execution
    coordinator, engine            threads that run one execution against jobs and AWS clients
    interruption                   what a process that ended left behind
    starting, executions, catalog  what the operations ask for
    service, handlers              the operations
"""
