"""The habits of AWS that a deployment has to live with: answers that are lost, throttling, settings that take a while.

- ``decisions``: what happens to which call, as a function of a seed and of the calls before it.
- ``lag``: which readings show the state before a change, and their answers from before it.
- ``mode``: puts both between the gateway and the services.
"""
