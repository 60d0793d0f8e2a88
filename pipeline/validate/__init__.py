"""Offline checks of compiled pipeline definitions: no network, no credentials, no SageMaker SDK.

Layers; each imports only what stands above it::

    json_text                  text of JSON, or why it is none
    values                     JSON values walked through: references, scalars, where they stand
    document                   a definition as frozen data: steps with their place in the JSON, references, locations
    registry                   how a check is declared, and what it is given
    shapes, references, …      the checks, a few small functions a module, one concern each
    runner                     runs all of them; importing it registers every check
    report                     findings as text and as JSON

The language of definitions itself (references, conditions, cache keys) is :mod:`pipeline.local.pipelines`', the one
place where it is written down.
"""
