"""Proofs of hardware units: rules that hold in every state that can be reached, whatever comes in.

`python -m scripts.verify.prove` runs them; docs/testing.md says what they cover.
"""
