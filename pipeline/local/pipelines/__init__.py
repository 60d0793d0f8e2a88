"""SageMaker pipelines that really execute, behind the ordinary AWS operations.

Layers, from pure to stateful; each imports only what stands above it::

    expressions, conditions        references, Std:Join, Std:JsonGet, comparisons: parse and evaluate
    definition, parsing            the definition JSON as frozen data
    arguments, validation          what AWS refuses about a definition
    graph, retrying, caching       decisions: what may run now, when again, whether a former result still holds
    records, store                 what is remembered, written transactionally to SQLite
    steps, engine                  threads that run one execution against jobs and AWS clients
    service, handlers              the operations
"""
