"""The CPU pipeline: normalisation, sparse activation, steering, clips, as stages at named points of a layer.

Artefact to taps: `artefact` (the file), `loading` (a stage for a model), `placement` (fabric or CPU). A method is one
file in a folder here that is named after its kind, or in a folder of the user's (`methods`).
"""
