"""What a model is: configs, checkpoint formats, ternary packing, golden model, training."""

from tritloom.start import prepare

prepare()
