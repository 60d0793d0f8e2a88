"""The guard of one job's process tree: a program of its own, standard library only.

The endpoint starts it (``python -I -S -c …``, see ``sandbox/sandbox.py``) and writes a specification to its standard
input, in the format of :mod:`marshal`, which needs no import of a JSON module::

    guard ── waits for ── init (first process of its own PID namespace) ── waits for ── the job's command

When init ends, the kernel kills every process that the job left behind; when the guard or the endpoint dies, so does
init.

=============== ====================================================================================================
``command``     argument list of the job
``environment`` its complete environment
``directory``   its working directory, as the job sees it
``isolation``   ``root``, ``user`` (namespaces inside an unprivileged user namespace) or ``none``
``scratch``     an empty directory for the mounts made here
``opt``         name → directory on the machine; appears as ``/opt/<name>``
``replaced``    [path, directory]: the writable directory is mounted over the path (``/tmp``, the home directory)
``kept``        directories that must stay reachable below a replaced path
``overlays``    directories (all in ``kept``) that the job may change without affecting anyone else
``files``       [path, file]: the file is mounted over the path (``/etc/hosts``)
``read_only``   directories below ``/opt`` that the job may not change
``host_name``   host name that the job sees
``network``     false: a loopback interface of its own and nothing else
``memory_bytes`` memory limit of the whole tree
``processes``   maximum number of processes of the tree
``parent``      process id of the endpoint
``status_fd``   receives the reason of a failed start; closed when the job's command runs
``life_fd``     not inherited by the job: closed when the tree has ended. If a limit ended it, the name of the limit
                (``memory``, ``processes``) is written first.
=============== ====================================================================================================

Signals: TERM goes to the job's process group, USR1 kills it. Exit status: the job's own, or 128 plus the number of the
signal that ended it.

======================= ============================================================================================
:mod:`~.program`        starts, waits, forwards signals
:mod:`~.mounts`         the job's view of the file system
:mod:`~.limits`         memory and number of processes
:mod:`~.system`         system calls that the standard library lacks
======================= ============================================================================================
"""
