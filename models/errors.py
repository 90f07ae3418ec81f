"""The one exception that bad user input raises."""

__all__ = ["ModelError"]


class ModelError(Exception):
    """Bad input: a model, a prompt or a name that cannot be used. The message is one clear line for the user.

    Command lines print it on standard error and exit with status 2.
    """
