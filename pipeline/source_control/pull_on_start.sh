#!/bin/bash
# Brings a notebook instance's clone to the newest commit at every start, and never at the cost of work that is only
# here: it fast-forwards a clean clone; otherwise it touches no file, and keeps what is here on a rescue branch.
# Made by scripts/connect_github.py, which overwrites changes. The credential comes from Secrets Manager when git asks.
# @settings@
# Of the platform; settable so that the script can be tried elsewhere.
user=${NOTEBOOK_USER:-ec2-user}
export HOME=${NOTEBOOK_HOME:-/home/ec2-user}
export PAUSE=${NOTEBOOK_PAUSE:-5}

# git's credential helper: answers for our server only, and writes to git's pipe only. It starts in the clone, whose
# modules -I keeps out.
read -r -d '' ASK <<'END' || true
import json, os, subprocess, sys
if sys.argv[1] != "get":
    sys.exit()
asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
if (asked.get("protocol"), asked.get("host")) != (os.environ["PROTOCOL"], os.environ["SERVER"]):
    sys.exit("no credential for " + asked.get("host", "?"))
command = ["aws", "secretsmanager", "get-secret-value", "--secret-id", os.environ["SECRET"]]
command += ["--region", os.environ["REGION"], "--query", "SecretString", "--output", "text"]
done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
if done.returncode:
    sys.exit("the secret can't be read: " + done.stderr.strip()[-300:])
try:
    secret = json.loads(done.stdout)
    lines = ["username=" + secret["username"], "password=" + secret["password"]]
except Exception as error:
    sys.exit("the secret has another form: " + type(error).__name__)
if any(set(line) & set("\n\r\0") for line in lines):
    sys.exit("the secret has another form: line breaks")
print("\n".join(lines))
END
export ASK

read -r -d '' worker <<'END' || true
set -uo pipefail
export PATH="$PATH:/usr/local/bin:/usr/bin:/bin:$HOME/anaconda3/bin" LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0
unset "${!GIT_TRACE@}" GIT_CURL_VERBOSE GIT_ASKPASS SSH_ASKPASS GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
top="$HOME/SageMaker" work="$HOME/SageMaker/$FOLDER" git= state= notice=00-GIT-NOTICE.md mark='<!-- pull-on-start -->'
largest=$((50 << 20)) most=$((512 << 20))   # GitHub takes no file above 100 MB; a volume has an end
log="$top/.pull-on-start.log"
cd "$top" || exit
if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt 1000000 ]; then
  tail -c 300000 "$log" > "$log.new" && mv -f "$log.new" "$log"
fi
exec >> "$log" 2>&1

say() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*"; }

# git without what a repository's own configuration could run or redirect, and with an end.
run() {
  timeout -k 10 "${limit:-120}" git -C "$work" -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 \
    -c maintenance.auto=false -c submodule.recurse=false -c fetch.recurseSubmodules=false -c push.recurseSubmodules=no \
    -c protocol.allow=never -c "protocol.$PROTOCOL.allow=always" -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=30 \
    -c core.askPass= -c credential.helper= -c 'credential.helper=!python3 -I -c "$ASK"' -c credential.useHttpPath=false \
    -c commit.gpgSign=false -c "user.name=${RESCUE#*/}" -c user.email=notebook@localhost "$@"
}

# Files of ours are replaced or removed; others of that name stay.
ours() { [ ! -e "$1" ] || [ "$(head -n 1 "$1" 2>/dev/null)" = "$mark" ]; }
clear_notice() { for at in "$top" "$work"; do ours "$at/$notice" && rm -f "$at/$notice"; done; }
show_notice() {
  for at in "$top" ${state:+"$work"}; do
    if [ "$at" = "$work" ]; then
      run ls-files --error-unmatch -- "$notice" > /dev/null 2>&1 && continue
      grep -qxF "/$notice" "$git/info/exclude" 2>/dev/null || echo "/$notice" >> "$git/info/exclude"
    fi
    new="${state:-$top}/.$notice"
    ours "$at/$notice" && printf '%s\n' "$mark" "$@" > "$new" && mv -f "$new" "$at/$notice"
  done
}
stop() {
  say "$1"
  show_notice "# This clone is not at the newest commit of $BRANCH" '' "$(date -u '+%F %R UTC'): $1" '' "${@:2}" \
    'The log is in `~/SageMaker/.pull-on-start.log`.'
  exit
}

# SageMaker clones before it starts the instance; wait until that is done.
for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
  git=$(run rev-parse --absolute-git-dir 2>/dev/null) && [ -f "$git/index" ] && break
  sleep "$PAUSE"
done
[ -n "$git" ] && [ "$(run rev-parse --show-toplevel)" = "$(cd "$work" && pwd -P)" ] \
  || stop "There is no clone of $URL in $FOLDER." 'Stop and start the instance; SageMaker clones on a start.' ''
state="$git/pull-on-start" theirs="refs/remotes/origin/$BRANCH"
mkdir -p "$state" "$git/info"
exec 9>> "$state/lock"
flock -n 9 || { say 'Another start is pulling.'; exit; }
# What an earlier start left when it was killed; no git holds these for long.
rm -f "$state/index.lock"
find "$git/$theirs.lock" "$git/refs/heads/$BRANCH.lock" "$git/HEAD.lock" -mmin +1 -delete 2>/dev/null

for try in 1 2 3 4 5; do
  limit=300 run fetch --quiet --no-tags --no-write-fetch-head "$URL" "+refs/heads/$BRANCH:$theirs" && fetched=1 && break
  [ "$try" = 5 ] || sleep $((try * PAUSE))
done
[ -n "${fetched:-}" ] || stop "$SERVER was not reached, does not take the credential, or has no branch $BRANCH." \
  'Nothing was changed here. Start the instance again, or pull by hand.' ''

# The state of the work tree as a tree, through an index of our own; sets `tree` and `left`.
snapshot() {
  export GIT_INDEX_FILE="$state/index"
  left=() total=0
  while IFS= read -r -d '' line; do
    size=${line%% *} path=${line#* }
    if [ "$size" -gt $largest ] || [ $((total + size)) -gt $most ]; then left+=("$path"); else total=$((total + size)); fi
  done < <(run ls-files -z --modified --others --exclude-standard \
    | (cd "$work" && xargs -0 -r stat --printf '%s %n\0' -- 2>/dev/null))
  printf '%s\0' "${left[@]}" | LC_ALL=C sort -zu > "$state/left"
  run ls-files -z --modified --others --exclude-standard | LC_ALL=C sort -zu | comm -z -23 - "$state/left" \
    | run update-index --add --remove --replace -z --stdin && tree=$(run write-tree)
  done=$?
  unset GIT_INDEX_FILE
  return $done
}

# An earlier start that was killed while it fast-forwarded: go on, if every file is as before or as after.
if read -r before after 2>/dev/null < "$state/forwarding"; then
  find "$git/index.lock" -mmin +1 -delete 2>/dev/null
  if [ ! -e "$git/index.lock" ] && [ "$(run rev-parse HEAD) $(run symbolic-ref --quiet HEAD)" = "$before refs/heads/$BRANCH" ]; then
    GIT_INDEX_FILE="$state/index" run read-tree "$before" && snapshot && [ ${#left[@]} = 0 ] \
      && [ -z "$(comm -z -12 <(run diff-tree -r -z --name-only --no-renames "$before" "$tree" | sort -z) \
        <(run diff-tree -r -z --name-only --no-renames "$tree" "$after" | sort -z) | tr '\0' '\n')" ] \
      && run read-tree "$tree" && run update-index -q --refresh \
      && limit=300 run merge --quiet --ff-only --no-overwrite-ignore "$after" \
      && say "Went on to $after after an interruption."
  fi
  rm -f "$state/forwarding"
fi

remote=$(run rev-parse --verify --quiet "$theirs^{commit}") || stop "$BRANCH can't be read." ''
head=$(run rev-parse --verify --quiet 'HEAD^{commit}') || head=
on=$(run symbolic-ref --quiet --short HEAD) || on='no branch'
changes=$(run status --porcelain --untracked-files=all) || stop 'git can not tell what was changed here.' ''
if [ -n "$head" ] && run merge-base --is-ancestor "$remote" "$head"; then
  clear_notice
  say "Nothing to pull: $BRANCH is at $remote."
  exit
fi

why='There are changes here that were not committed.'
if [ "$on" != "$BRANCH" ]; then
  why="The clone is on $on."
elif [ -z "$changes" ] && { [ -z "$head" ] || run merge-base --is-ancestor "$head" "$remote"; }; then
  clear_notice
  echo "${head:-none} $remote" > "$state/forwarding"
  # Files that git ignores are work, too.
  limit=300 run merge --quiet --ff-only --no-overwrite-ignore "$remote"
  done=$?
  [ $done -lt 124 ] && rm -f "$state/forwarding"
  [ $done = 0 ] && { say "Fast-forwarded $BRANCH to $remote."; exit; }
  [ $done -lt 124 ] || stop 'Time was up before every file was written.' 'The next start goes on from there.' ''
  stop 'A file here stands in the way of one on GitHub; the log names it.' \
    'Nothing was changed. Move the file, then in a terminal:' '' "    cd ~/SageMaker/$FOLDER && git merge origin/$BRANCH" ''
elif [ -z "$changes" ]; then
  why="There are commits here that are not on $BRANCH, and others there."
fi

# Keep what is here, as commits beside the branch; index and work tree stay as they are.
commit=$head
if [ -n "$changes" ]; then
  export GIT_INDEX_FILE="$state/index"
  rm -f "$GIT_INDEX_FILE"
  [ ! -f "$git/index" ] || cp "$git/index" "$GIT_INDEX_FILE"
  staged=$(run write-tree 2>/dev/null) || staged=   # none while a merge has conflicts
  unset GIT_INDEX_FILE
  snapshot || stop "$why They could not be put on a rescue branch." 'They are in the clone, as they were.' ''
  parents=${head:+"-p $head"}
  if [ -n "$staged" ] && [ "$staged" != "$tree" ] && [ "$staged" != "$(run rev-parse --quiet --verify "$head^{tree}")" ]; then
    day=$(run log -1 --format=%cI "$head" 2>/dev/null) || day=2000-01-01T00:00:00Z
    # Of the same state always the same commit.
    parents+=" -p $(GIT_AUTHOR_DATE=$day GIT_COMMITTER_DATE=$day run commit-tree "$staged" ${head:+-p "$head"} -m 'Staged')"
  fi
  commit=$(run for-each-ref --format='%(objectname) %(tree) %(parent)' "refs/heads/$RESCUE/" \
    | while read -r one its rest; do [ "$its $rest" = "$tree $(echo ${parents//-p/})" ] && echo "$one" && break; done)
  [ -n "$commit" ] || commit=$(run commit-tree "$tree" $parents -m "Work on notebook ${RESCUE#*/} that is not on $BRANCH")
elif [ -z "$(run rev-list --max-count=1 "$head" --not --remotes)" ]; then
  stop "$why It has nothing that is not on GitHub." '`git switch '"$BRANCH"'`, and `git merge --ff-only origin/'"$BRANCH"'`.' ''
fi
name=$(run for-each-ref --format='%(refname:short)' --points-at "$commit" "refs/heads/$RESCUE/" | head -n 1)
if [ -z "$name" ]; then
  name="$RESCUE/$(date -u +%Y%m%d-%H%M%S)-${commit:0:7}"
  run update-ref "refs/heads/$name" "$commit" '' || stop "$why They could not be put on a rescue branch." ''
fi
if limit=300 run push --quiet --no-verify "$URL" "refs/heads/$name:refs/heads/$name"; then where='on GitHub, too'
else where='only on this instance: the push was refused, see the log'; fi
stop "$why No file here was touched." "They are kept on branch \`$name\` ($where)." '' \
  ${left[@]+"Too large for it, and only in the clone: $(printf '`%q` ' "${left[@]}")" ''} \
  'To take the new commits, commit what you want to keep, then in a terminal:' '' \
  "    cd ~/SageMaker/$FOLDER && git merge origin/$BRANCH" ''
END

as=()
[ "$(id -un)" = "$user" ] || as=(runuser -u "$user" --)
# In the background: a start fails after five minutes, and must not fail because of GitHub.
nohup setsid "${as[@]}" /bin/bash -c "$worker" pull-on-start < /dev/null > /dev/null 2>&1 &
exit 0
