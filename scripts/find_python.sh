#!/bin/sh
# Print the Python to make the environment with: 3.12 where it is found (it is the container image's), else 3.13 or 3.11.
# 3.11.4 is the first that unpacks archives safely (PEP 706).
# A command that is on the path may still be a version manager's shim for a version that is not chosen, so each is tried.
set -u

for version in 3.12 3.13 3.11; do
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/cpython-"$version".*/bin/python python3; do
    found=$(command -v "$candidate" 2>/dev/null) || continue
    if "$found" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$version' or sys.version_info < (3, 11, 4))" >/dev/null 2>&1; then
      echo "$found"
      exit 0
    fi
  done
done
echo "No Python 3.11.4 or later, 3.12 or 3.13 with venv was found. Install one (Debian 13: apt install python3 python3-venv; anywhere: uv python install 3.12)." >&2
exit 1
