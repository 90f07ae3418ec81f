"""The sub-commands of `python -m host.pipeline`: each adds its parser, which knows what runs it."""
