"""The guard of one sandboxed process tree: a program of its own, standard library only.

The endpoint starts it (``python -I -S -c …``, see ``sandbox/sandbox.py``) and writes a specification to its standard
input, in the format of :mod:`marshal`, which needs no import of a JSON module::

    guard ── watches ── bwrap ── init (first process of its own PID namespace) ── waits for ── the job's command

Where there is no bubblewrap, init is a child of the guard. When init ends, the kernel kills every process that the job
left behind; when the guard or the endpoint dies, so does init.

=============== ====================================================================================================
``bwrap``       the program and its arguments; empty without a sandbox
``interpreter`` the Python that runs init, as the job sees it
``command``     argument list of the job
``environment`` its complete environment
``directory``   its working directory, as the job sees it
``inherited``   file descriptors that the job inherits
``door``        a socket to the endpoint, and the port at which init opens the way to it; see
                :mod:`localmaker.sandbox.network`
``work``        the job's directory on the machine
``limits``      of the tree, as in :class:`localmaker.sandbox.limits.Limits`
``parent``      process id of the endpoint
``status_fd``   receives ``+`` when init runs, then the reason if the command cannot be started; closed when it runs
``life_fd``     not inherited by the job: closed when the tree has ended. If a limit ended it, the name of the limit
                (see :mod:`~.limits`) is written first.
=============== ====================================================================================================

Signals: TERM goes to the job's process group, USR1 kills the tree. Exit status: the job's own, or 128 plus the number
of the signal that ended it.

======================= ============================================================================================
:mod:`~.program`        starts, watches, forwards signals
:mod:`~.init`           starts the command inside the sandbox, and reaps what it leaves behind
:mod:`~.limits`         the limits, and when to look
:mod:`~.tree`           the processes of a tree
:mod:`~.memory`         the memory of a tree, and of the machine
:mod:`~.disk`           what the job's directory takes of the disk
:mod:`~.groups`         the kernel's own limits (cgroup v2)
:mod:`~.system`         system calls that the standard library lacks
======================= ============================================================================================
"""
