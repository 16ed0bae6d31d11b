# Read by run and test: sets $python to one that Candor can be installed with, or says what is missing and leaves.
for python in "$here/../.venv/bin/python" python3 python3.13 python3.12 python3.11 python; do
    if "$python" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
    then return
    fi
done
echo "Candor needs Python 3.11, 3.12 or 3.13 with its venv module, and none is on the PATH; on Debian or Ubuntu: apt-get install python3-venv" >&2
exit 1
