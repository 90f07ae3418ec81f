#!/bin/bash
# tritloom COMMAND … with this folder's bitstream and model, as root: ./tritloom.sh chat
# PYNQ's environment: its Python, XILINX_XRT, and the device tree's node of XRT, which may be there already.
if [ -z "${PYTHON:-}" ] && [ -f /etc/profile.d/pynq_venv.sh ]; then . /etc/profile.d/pynq_venv.sh; fi
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
export TRITLOOM_BITSTREAM="${TRITLOOM_BITSTREAM:-$folder/tritloom.bit}"

command=${1:-chat}
if [ $# -gt 0 ]; then shift; fi
case $command in
chat | generate | serve | batch | score | bench | doctor | selftest)
    exec "${PYTHON:-python3}" -m tritloom "$command" --device pynq --model "$folder/model" "$@"
    ;;
*)
    exec "${PYTHON:-python3}" -m tritloom "$command" "$@"
    ;;
esac
