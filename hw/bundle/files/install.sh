#!/bin/bash
# Installs Tritloom from this folder on a board: as root, ./install.sh [--service]
#
# --service also starts the server at each boot, from this folder. The wheel is taken from here, what it depends on
# from pip's index. Into PYNQ's environment where there is one, else into that of $PYTHON (python3).
set -eu
cd "$(dirname "$0")"
folder=$PWD

service=no
for argument in "$@"; do
    case $argument in
    --service) service=yes ;;
    *) echo "error: unknown argument $argument: known is --service" >&2; exit 2 ;;
    esac
done

sha256sum --check --quiet SHA256SUMS

environment=/usr/local/share/pynq-venv/bin/python3
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    if [ -x $environment ]; then PYTHON=$environment; fi
fi
# PYNQ is built for NumPy 1: the constraints keep pip from replacing it.
"$PYTHON" -m pip install --constraint constraints.txt "$(echo "$folder"/tritloom-*.whl)[serve]"

if "$PYTHON" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("pynq") is None)'; then
    if ! why=$("$PYTHON" -c 'import pynq' 2>&1); then
        echo "note: PYNQ does not start: $(echo "$why" | tail -n 1)" >&2
        echo "  newer packages than it knows? $PYTHON -m pip install 'pycparser<2.22' 'setuptools<80' 'numpy<2'" >&2
    fi
fi

if [ $service = yes ]; then
    units=${UNITS:-/etc/systemd/system}
    sed "s|@FOLDER@|$folder|g" tritloom.service >"$units/tritloom.service"
    if [ "$units" = /etc/systemd/system ]; then
        systemctl daemon-reload
        systemctl enable --now tritloom.service
    fi
fi

if [ ! -f tritloom.bit ]; then
    echo "note: there is no bitstream in this bundle: --device emulator works, the fabric does not"
fi
echo "Installed. Try: $folder/tritloom.sh chat"
