"""IAM in the local endpoint: the caller, the actions that a call needs, and whether policies allow them.

- ``evaluation``, ``conditions``, ``matching``: IAM's policy evaluation as pure functions; they know nothing else.
- ``actions``: the IAM actions and resources that an operation needs, from a table; ``calls`` finds the operation of an
  HTTP request; ``service_work`` lists what SageMaker does for a job with the job's role.
- ``sessions``: credentials that act under a role; ``policies``: the policies of a role.
- ``authorization``: sees every action under a role; records it and, if asked to, refuses it.
- ``simulation``: SimulatePrincipalPolicy and SimulateCustomPolicy.
"""
