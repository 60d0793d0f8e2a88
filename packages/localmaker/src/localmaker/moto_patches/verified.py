"""Importing this module verifies the installed moto, once.

Modules that patch moto look up the originals while they are imported. This import comes before theirs, so that another
version of moto results in one clear sentence instead of an ``AttributeError``.
"""

from localmaker.moto_patches.manifest import verify

verify()
