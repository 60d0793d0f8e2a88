"""SageMaker pipelines that really execute, behind the ordinary AWS operations.

Layers, from pure to stateful; each imports only what stands above it::

    expressions, conditions        references, Std:Join, Std:JsonGet, comparisons: parse and evaluate
    definition, parameters, parsing
                                   the definition JSON as frozen data
    arguments, validation          what AWS refuses about a definition
    graph, retrying, caching       decisions: what may run now, when again, whether a former result still holds
    outputs, selection             decisions: what an answer gives, which steps a selective execution runs
    records, store                 what is remembered, written transactionally to SQLite
    tokens, versions               requests that are repeated, versions and their aliases
    attempts                       what one attempt of a step is given, and how it can end
    callbacks, functions, lambdas  steps that an SQS consumer or a local Python function answers
    experiments                    the experiment, trial and trial components of an execution
    steps                          what each type of step does
    step_table, step_run, coordinator, engine
                                   threads that run one execution against jobs and AWS clients
    interruption                   what a process that ended left behind
    starting, executions, catalog  what the operations ask for
    service, handlers              the operations
"""
