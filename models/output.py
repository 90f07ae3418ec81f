"""Whether a file, a picture or a folder can be written: asked before long work, so that no result is lost at the end.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import OptionError

__all__ = ["check_output_file", "check_output_folder", "check_picture"]


def check_output_file(path: str | Path) -> None:
    """`OptionError` unless a file can be written at `path`: a new one in a folder that is there, or over an old one.

    Makes the file and takes it away again, since permissions alone do not tell. What was there is left as it is.
    """
    with _refused(path):
        target = os.path.realpath(path)  # where a link points
        if os.path.isdir(target):
            raise OptionError(f"{path} cannot be written: it is a folder")
        if not os.path.lexists(target):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(target)
        elif os.path.isfile(target):
            os.close(os.open(target, os.O_WRONLY))
        elif not os.access(target, os.W_OK):  # a pipe or a device: to open it is to use it
            raise OptionError(f"{path} cannot be written: permission denied")


def check_output_folder(path: str | Path) -> None:
    """`OptionError` unless `path` is a folder in which files can be made, or can become one.

    Makes it with the folders above it that are missing, and a file inside; what was made goes away again.
    """
    with _refused(path):
        target, made = Path(os.path.realpath(path)), []
        missing = [folder for folder in (target, *target.parents) if not os.path.lexists(folder)]
        try:
            for folder in reversed(missing):
                with suppress(FileExistsError):  # another process was as busy
                    folder.mkdir()
                    made.append(folder)
            with tempfile.TemporaryFile(dir=target):
                pass
        finally:
            for folder in reversed(made):
                with suppress(OSError):  # what another process has filled by now
                    folder.rmdir()


def check_picture(path: Path) -> None:
    """`OptionError` where no figure can be written to this file: its folder, or a format that is not known."""
    from matplotlib.backend_bases import FigureCanvasBase  # late: only pictures need it

    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise OptionError(f"{path} is no picture: its name must end in one of .{', .'.join(sorted(formats))}")
    check_output_file(path)


@contextmanager
def _refused(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise OptionError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None
