"""The installed command and what happens before any other package of ours is imported."""

from tritloom.start import prepare

prepare()
