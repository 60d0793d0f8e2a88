"""The state of the endpoint on disk.

- ``moto_state`` stores what requests change in moto, piece by piece, before they are answered; ``restore`` gives it
  back to moto at the start. ``changes`` notes what a request touches, in ``parts`` services say what they store one by
  one, ``pickling`` turns objects into bytes, ``store`` is the SQLite file, ``undo`` gives back what is stored when a
  change cannot be.
- ``contents`` takes the bodies of S3 uploads, ``checksums`` verifies them, ``blobs`` keeps large ones in files.
- ``databases`` opens the SQLite files of the endpoint's own stores, ``directory`` knows the state directory,
  ``formats`` sets state of another version aside, ``room`` recognises a full disk and keeps a reserve.
"""
