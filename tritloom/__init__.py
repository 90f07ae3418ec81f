"""The installed command, the library (`tritloom.library`), and what happens before any other package of ours."""

from tritloom.start import find_own_packages, prepare

prepare()

__all__ = ["Chat", "LanguageModel", "chat", "generate", "load", "stream"]


def __getattr__(name: str) -> object:
    """The library's names, imported when one is first asked for: a command needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    find_own_packages()
    from tritloom import library

    return getattr(library, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
