"""moto as the endpoint uses it, and everything that is changed in it for the whole process.

``application`` puts the changes in; each of the others is about one thing that moto does otherwise than AWS, or slowly.
What of moto's state is kept is :mod:`localmaker.state`'s to know.
"""
