"""The definition language of SageMaker Pipelines, and a linter for it.

Rooms of the package; each imports only what is below it::

    cli           ``pipedef check definition.json``
    linter        runs the checks, and shows findings as text and as JSON
    checks        a few small functions a module, one concern each, declared in ``registry``
    document      the definition as frozen data: steps with their place, references, locations; scripts' sources
    language      the definition language itself: expressions, conditions, parameters, graph, caching, retries
    shapes, arns  botocore's service models, and names of AWS
"""
