"""What an instance has that the sandbox of jobs has not: its user, and the programs that scripts call.

As on AWS scripts run as root, and the work is ec2-user's. In the sandbox both are one user, who has no privilege: what
one of them makes belongs to the other, too, and ``sudo``, ``su`` and ``runuser`` change no more than ``HOME``, ``USER``
and the folder.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME, VOLUME = "/home/ec2-user", "/home/ec2-user/SageMaker"
PROGRAMS = "/opt/notebook/bin"
#: Variable with the number of the descriptor that a password can be read from.
SECRET_VARIABLE = "NOTEBOOK_GIT_SECRET"  # noqa: S105 - a name
ASKPASS = f"{PROGRAMS}/git-askpass"
_ACCOUNTS = {
    "passwd": f"root:x:0:0:root:/root:/bin/bash\nec2-user:x:0:0:EC2 Default User:{HOME}:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nec2-user:x:0:\nnogroup:x:65534:\n",
}
_AS_USER = """\
#!/bin/bash
# sudo, su and runuser, as far as lifecycle scripts use them.
name=${0##*/} user=root login='' command='' named=''
[ "$name" = sudo ] && named=1
while [ $# -gt 0 ]; do
    case $1 in
        -u | --user) user=$2 named=1; shift ;;
        -c | --command) command=$2; shift ;;
        -i | -l | - | --login) login=1 ;;
        -E | -H | -n | -s | -m | -p | -EH | -HE) ;;
        --) shift; break ;;
        -*) echo "$name: the local endpoint's $name does not know $1" >&2; exit 1 ;;
        *=*) export "${1?}" ;;
        *) [ -z "$named" ] || break; user=$1 named='' ;;
    esac
    shift
done
case $user in
    root) HOME=/root ;;
    ec2-user) HOME=/home/ec2-user ;;
    *) echo "$name: unknown user: $user" >&2; exit 1 ;;
esac
export HOME USER=$user LOGNAME=$user
[ -z "$login" ] || cd "$HOME" || exit 1
[ -z "$command" ] || exec /bin/bash -c "$command" "$@"
[ $# -eq 0 ] || exec "$@"
exec /bin/bash
"""
# The descriptor is opened anew by each call, so that each reads from the start.
_ASKPASS = f"""\
#!/bin/bash
{{ IFS= read -r user; IFS= read -r password; }} <"/proc/self/fd/${SECRET_VARIABLE}"
case $1 in Username*) printf '%s\\n' "$user" ;; *) printf '%s\\n' "$password" ;; esac
"""


@dataclass(frozen=True)
class Inside:
    """Files for a sandbox.

    Attributes:
        mounted: path as a program sees it → file or folder of the machine.
        visible: folders of the machine that the files refer to.
    """

    mounted: Mapping[str, Path]
    visible: Sequence[Path]


def write(folder: Path) -> Inside:
    """Write the files to a new folder."""
    (folder / "bin").mkdir(parents=True)
    for name, text in _ACCOUNTS.items():
        (folder / name).write_text(text)
    programs = dict.fromkeys(("sudo", "su", "runuser"), _AS_USER) | {"git-askpass": _ASKPASS}
    visible = []
    if find_aws() is not None:
        # A script's first line may name a link to the environment, which the sandbox does not have.
        python = Path(sys.prefix).resolve() / "bin" / "python"
        programs["aws"] = f'#!/bin/bash\nexec {shlex.quote(str(python))} -P -m awscli "$@"\n'
        visible = [Path(sys.prefix).resolve()]
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return Inside({PROGRAMS: folder / "bin", **{f"/etc/{name}": folder / name for name in _ACCOUNTS}}, visible)


def find_aws() -> str | None:
    """Return the AWS CLI of the endpoint's environment, if it has one; one below ``/usr`` is seen anyway."""
    return shutil.which("aws", path=str(Path(sys.prefix) / "bin"))
