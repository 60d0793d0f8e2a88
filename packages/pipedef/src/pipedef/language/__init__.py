"""The definition language of pipelines. Everything here is pure.

======================== ============================================================================================
``model``                a definition as frozen data; ``parsing`` makes it of JSON, ``refusals`` says why not
``refused_kinds``        kinds of step that run on AWS only, and what to do instead
``validation``           what AWS refuses about a well-formed definition; ``arguments`` looks at steps' requests
``expressions``          Get, Std:Join and Std:JsonGet; ``conditions`` compare what they give
``parameters``           what is declared, and the values of an execution; ``outputs`` of Callback and Lambda steps
``graph``                which step waits for which, and which may run now
``retrying``, ``caching`` decisions: when again, and whether a former result still holds
======================== ============================================================================================
"""
