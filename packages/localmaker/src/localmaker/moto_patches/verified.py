"""Importing this module verifies the installed moto, once.

Modules that replace or use something inside moto reach for it while they are imported. So this import comes before
theirs, and another moto ends in one clear sentence instead of an ``AttributeError`` somewhere.
"""

from localmaker.moto_patches.manifest import verify

verify()
