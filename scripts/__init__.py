"""What a person runs now and then: checks against other software, experiments, measurements."""

from tritloom.start import prepare

prepare()
