"""The CPU pipeline: normalisation, sparse activation, steering, as stages at named points of a layer.

A stage turns an artefact into taps (`models.golden.tap`), which every device runs: the emulator in
software, the fabric in its per-channel tap. A further method is one more file and one more line in
`artefact.METHODS`.
"""
