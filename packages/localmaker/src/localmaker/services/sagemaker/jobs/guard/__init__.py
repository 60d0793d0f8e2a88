"""The guardian of one job's process tree: a program of its own, standard library only.

The endpoint starts it (``python -I -S -c …``, see ``sandbox/sandbox.py``) and writes a specification to
its standard input (in the form of :mod:`marshal`, which both read without loading anything)::

    guardian ── waits for ── init (first process of its own PID namespace) ── waits for ── the job's command

When init ends, the kernel kills whatever the job left behind; when the guardian or the endpoint dies, so does init.

=============== ====================================================================================================
``command``     argument list of the job
``environment`` its complete environment
``directory``   its working directory, as the job sees it
``isolation``   ``root``, ``user`` (namespaces inside an unprivileged user namespace) or ``none``
``scratch``     an empty directory for the mounts made here
``opt``         name → directory on the machine; appears as ``/opt/<name>``
``replaced``    [path, directory]: the path is replaced by the writable directory (``/tmp``, the home directory)
``kept``        directories that must stay reachable although a replaced path would hide them
``overlays``    directories (all of them in ``kept``) that the job may change without changing them for anyone else
``files``       [path, file]: single files bound over others (``/etc/hosts``)
``read_only``   directories below ``/opt`` that the job may not change
``host_name``   host name that the job sees
``network``     false: a loopback of its own and nothing else
``memory_bytes`` memory that the whole tree may use
``processes``   processes that the tree may have
``parent``      process id of the endpoint
``status_fd``   where a failure to start is written; closed when the job's command runs
``life_fd``     not inherited by the job: its end tells the endpoint that the tree has ended. If a limit ended it, the
                name of the limit (``memory``, ``processes``) is written before.
=============== ====================================================================================================

Signals: TERM goes to the job's process group, USR1 kills it. Exit status: the job's own, or 128 plus the number of the
signal that ended it.

======================= ============================================================================================
:mod:`~.program`        starts, waits, passes signals on
:mod:`~.mounts`         the job's view of the file system
:mod:`~.limits`         memory and number of processes
:mod:`~.system`         system calls that the standard library lacks
======================= ============================================================================================
"""
