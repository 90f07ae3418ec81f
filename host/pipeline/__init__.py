"""The CPU pipeline: normalisation, sparse activation, steering, as stages at named points of a layer.

Artefact to taps: `artefact` (the file), `loading` (a stage for a model), `placement` (fabric or CPU). A method is one
file in `normalisation`, `sparsity` or `steering`, or in a folder of the user's (`methods`).
"""
