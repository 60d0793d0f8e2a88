"""IAM in the local endpoint: who calls, which actions a call needs, and whether policies allow them.

- ``evaluation``, ``conditions``, ``matching``: IAM's policy evaluation as pure functions; they know nothing else.
- ``actions``: which IAM actions on which resources an operation needs, from a table; ``calls`` finds the operation in
  an HTTP request; ``service_work`` is what SageMaker does for a job with the job's role.
- ``sessions``: credentials that act under a role; ``policies``: the policies that a role has.
- ``authorization``: the one place that every action under a role is told to; records it and, if asked to, refuses it.
- ``simulation``: SimulatePrincipalPolicy and SimulateCustomPolicy.
"""
