"""A hostile job: tries to get out of its sandbox, and prints as JSON what it managed to do.

``python escapes.py <facts>``: the facts are JSON about the machine, which a real attacker would have to guess: ``pid``
(a process), ``secrets`` (files), ``port`` (a listening TCP port), ``socket`` (an abstract Unix socket). Every attempt
is named; its result is a text if it was refused, and null if it succeeded. Attempts change nothing if they succeed.
"""

import ctypes
import glob
import json
import os
import signal
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REMOUNT, MS_REC, MNT_DETACH = 0x1000, 0x20, 0x4000, 2
NAMESPACES = {
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "host name": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
}
PTRACE_SEIZE, CLOCK_REALTIME = 0x4206, 0
# Numbers of system calls on x86_64 and aarch64; those from 424 on are the same everywhere.
ARM = os.uname().machine == "aarch64"
NUMBERS = {
    "pivot_root": 41 if ARM else 155,
    "init_module": 105 if ARM else 175,
    "bpf": 280 if ARM else 321,
    "perf_event_open": 241 if ARM else 298,
    "open_by_handle_at": 265 if ARM else 304,
    "open_tree": 428,
    "fsopen": 430,
    "mount_setattr": 442,
}


def called(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(name, *arguments):
    called(LIBC.syscall(NUMBERS[name], *arguments))


def forked(action):
    """Run an action in a child: it may change the process for good."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as stream:
        refusal = stream.read()
    if refusal:
        raise PermissionError(refusal)


def mount(source, target, kind=None, flags=0):
    called(LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None))


def mounts():
    with open("/proc/self/mounts") as file:
        return [line.split()[1] for line in file]


def unmount_everything():
    for target in reversed(mounts()):
        if LIBC.umount2(target.encode(), MNT_DETACH) == 0:
            return
    called(-1)


def make_something_writable():
    for target in ("/usr", "/proc/sys", "/dev"):
        if LIBC.mount(None, target.encode(), None, ctypes.c_ulong(MS_REMOUNT | MS_BIND), None) == 0:
            return
    called(-1)


def enter_other_namespaces():
    """Enter any namespace of any visible process that is not this one's."""
    own = {os.stat(path).st_ino for path in glob.glob("/proc/self/ns/*")}
    refusal = "no other namespace is visible"
    for path in glob.glob("/proc/[0-9]*/ns/*"):
        try:
            with open(path) as handle:
                if os.fstat(handle.fileno()).st_ino in own:
                    continue
                called(LIBC.setns(handle.fileno(), 0))
                return
        except OSError as error:
            refusal = str(error)
    raise PermissionError(refusal)


def rewrite(path):
    """Write to a file what is in it."""
    with open(path) as file:
        content = file.read()
    with open(path, "w") as file:
        file.write(content)


def find_secret(path):
    """Look for a file of the machine, wherever a view of its root might be left."""
    for root in ("", *glob.glob("/proc/[0-9]*/root"), *glob.glob("/proc/[0-9]*/cwd"), *glob.glob("/proc/[0-9]*/fd/*")):
        for up in ("", "/../../../../../../../.."):
            if os.path.exists(f"{root}{up}{path}"):
                return
    raise FileNotFoundError(path)


def climb():
    """Reach a directory above the root from one of the job's own."""
    for start in ("/opt/ml", "/tmp", "/root", "/opt/env"):
        if os.path.isdir(start):
            os.chdir(start)
            os.chdir("/".join([".."] * 12))
            if set(os.listdir(".")) != set(os.listdir("/")):
                return
    raise PermissionError("the root is the top")


def signal_everyone(pid):
    """Send the harmless signal 0 to a process of the machine. Its number may be that of one in here."""
    for inside in glob.glob("/proc/[0-9]*"):
        if inside == f"/proc/{pid}":
            raise ProcessLookupError("that number belongs to a process in here")
    os.kill(pid, 0)


def trace(pid):
    if os.path.exists(f"/proc/{pid}"):
        raise ProcessLookupError("that number belongs to a process in here")
    called(LIBC.ptrace(PTRACE_SEIZE, pid, None, None))


def foreign_environment():
    """Find a variable of the machine in the environment of a process that can be seen."""
    for path in glob.glob("/proc/[0-9]*/environ"):
        with open(path, "rb") as file:
            if b"MACHINE_SECRET" in file.read():
                return
    raise PermissionError("there is none")


def told_about_the_machine():
    """Find a path of the machine in the arguments of a process that can be seen."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with open(path, "rb") as file:
            if b"--bind" in file.read():
                return
    raise PermissionError("there is none")


def open_descriptors():
    """Find a descriptor of the first process or of this one that leads out: a directory or a file of the machine."""
    for path in (*glob.glob("/proc/1/fd/*"), *glob.glob("/proc/self/fd/*")):
        try:
            target = os.readlink(path)
        except FileNotFoundError:
            continue
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/opt/ml")) and os.path.isdir(path):
            return
    raise PermissionError("there is none")


def device(path):
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def make_device():
    os.mknod("/tmp/device", 0o660 | 0o060000, os.makedev(254, 0))


def become_root_by_setuid():
    """Make a setuid program: nothing may be gained by running it."""
    path = "/tmp/setuid"
    with open("/bin/sh", "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    os.chmod(path, 0o6755)
    shown = subprocess.run([path, "-c", "cat /proc/self/status"], capture_output=True, text=True, check=True).stdout
    if "CapEff:\t0000000000000000" in shown:
        raise PermissionError("no capability was gained")


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)


def raise_priority():
    os.setpriority(os.PRIO_PROCESS, 0, -20)


def real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))


def machine_key():
    """Find the user's key in the session keyring."""
    number = 219 if ARM else 250
    found = LIBC.syscall(number, 10, ctypes.c_int(-3), b"user", b"machine-secret", 0)
    called(found)


def hidden_folders():
    for path in ("/proc/acpi", "/proc/asound", "/proc/scsi"):
        yield f"list {path}", lambda path=path: absent_or_empty(path)
        yield f"create a file in {path}", lambda path=path: create(f"{path}/intruder")


def attempts(facts):
    with open("/proc/self/mounts") as file:
        has_cgroups = any(line.split()[2].startswith("cgroup") for line in file)
    for number, path in enumerate(facts["secrets"]):
        yield f"find secret {number}", lambda path=path: find_secret(path)
    yield "climb above the root", climb
    yield "signal a process of the machine", lambda: signal_everyone(facts["pid"])
    yield "signal everyone else", lambda: forked(lambda: kill_all_but_own(facts["pid"]))
    yield "trace a process of the machine", lambda: trace(facts["pid"])
    yield "read a variable of the machine", foreign_environment
    yield "read the sandbox's arguments", told_about_the_machine
    yield "use a descriptor of the machine", open_descriptors
    yield "read the user's keys", machine_key
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory"):
        yield f"write {path}", lambda path=path: rewrite(path)
    yield "write /proc/sysrq-trigger", lambda: absent_or_null("/proc/sysrq-trigger")
    for name in ("kcore", "kpageflags", "kpagecount", "kpagecgroup", "vmallocinfo", "slabinfo", "config.gz"):
        yield f"read /proc/{name}", lambda name=name: absent_or_null(f"/proc/{name}")
    # Whoever may write there makes the kernel watch the machine for him.
    yield "watch the machine's pressure", watch_pressure
    yield from hidden_folders()
    for path in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/net/tun"):
        yield f"open {path}", lambda path=path: device(path)
    yield "make a device", make_device
    yield "gain a capability by a setuid program", become_root_by_setuid
    yield "change the host name", lambda: forked(lambda: socket.sethostname("intruder"))
    yield "set the clock", lambda: forked(time_travel)
    yield "load a module into the kernel", lambda: call("init_module", None, 0, b"")
    yield "load a program into the kernel", lambda: call("bpf", 5, None, 0)
    yield "raise the priority", lambda: forked(raise_priority)
    yield "run in real time", lambda: forked(real_time)
    for path in ("/usr/intruder", "/etc/ssl/certs/intruder", "/sys/devices/system/intruder", "/dev/intruder"):
        yield f"create {path}", lambda path=path: create(path)
    for path in facts["read_only"]:
        yield f"create a file in {path}", lambda path=path: create(f"{path}/intruder")
    if facts["port"]:
        yield "connect to the machine", lambda: connect(socket.AF_INET, ("127.0.0.1", facts["port"]))
        yield "connect to an abstract socket", lambda: connect(socket.AF_UNIX, f"\0{facts['socket']}")
        yield "have another network interface", other_interfaces
    if facts.get("door"):
        yield "go through the door", lambda: connect(socket.AF_INET, ("127.0.0.1", facts["door"]))
    for name, flag in NAMESPACES.items():
        yield f"make a {name} namespace", lambda flag=flag: forked(lambda: called(LIBC.unshare(flag)))
    yield "enter another namespace", lambda: forked(enter_other_namespaces)
    # Last: if they succeed, there is less to see.
    yield (
        "mount a file system",
        lambda: forked(lambda: mount("none", "/mnt" if os.path.isdir("/mnt") else "/tmp", "tmpfs")),
    )
    yield "mount a directory elsewhere", lambda: forked(lambda: mount("/usr", "/tmp", None, MS_BIND | MS_REC))
    yield "mount the machine's disk", lambda: forked(lambda: mount("/dev/vda", "/tmp", "ext4"))
    yield "mount control groups", lambda: forked(lambda: mount("none", "/tmp", "cgroup2"))
    yield "see control groups", lambda: None if has_cgroups else called_off("there are none")
    yield "change the root", lambda: forked(lambda: call("pivot_root", b"/tmp", b"/tmp"))
    yield "use another root", lambda: forked(lambda: os.chroot("/usr"))
    yield "copy a tree of mounts", lambda: forked(lambda: call("open_tree", -100, b"/", 1))
    yield "open a file system", lambda: forked(lambda: call("fsopen", b"tmpfs", 0))
    yield "open a file by its handle", lambda: forked(lambda: call("open_by_handle_at", -100, bytes(32), 0))
    yield "unmount what hides the machine", lambda: forked(unmount_everything)
    yield "make a mount writable", lambda: forked(make_something_writable)


def called_off(text):
    raise PermissionError(text)


def kill_all_but_own(pid):
    """Signal every process that is not in here: all that kill(-1) reaches is in here, unless it is the machine's."""
    os.kill(-1, signal.SIGCONT)
    signal_everyone(pid)


def time_travel():
    moment = (ctypes.c_long * 2)()
    LIBC.clock_gettime(CLOCK_REALTIME, ctypes.byref(moment))
    called(LIBC.clock_settime(CLOCK_REALTIME, ctypes.byref(moment)))


def absent_or_null(path):
    if os.stat(path).st_rdev == os.stat("/dev/null").st_rdev:
        raise PermissionError("it is /dev/null")


def absent_or_empty(path):
    if not os.listdir(path):
        raise PermissionError("it is empty")


def watch_pressure():
    with open("/proc/pressure/memory", "w") as file:
        file.write("some 500000 2000000")


def create(path):
    with open(path, "w"):
        pass
    os.unlink(path)


def other_interfaces():
    if {name for _, name in socket.if_nameindex()} == {"lo"}:
        raise PermissionError("there is none")


def main():
    facts = json.loads(sys.argv[1])
    results = {}
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    shown = {name: status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")}
    for name, attempt in attempts(facts):
        try:
            attempt()
        except OSError as error:
            results[name] = str(error) or type(error).__name__
        else:
            results[name] = None
    print(json.dumps({"attempts": results, "status": shown}))


if __name__ == "__main__":
    main()
