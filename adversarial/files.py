"""Files that are whole or not there: written in one go, checked when read."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adversarial.errors import conversation

ARCHIVE = ".keras"
NEEDED = ("config.json", "metadata.json", "model.weights.h5")
"""What a file that Keras has saved holds."""


def is_local(filepath: Any) -> bool:
    """Says whether this is a path on this machine, and no file object."""
    path = isinstance(filepath, str | os.PathLike)
    return path and "://" not in os.fspath(filepath)


@contextlib.contextmanager
def replaced(
    filepath: str | os.PathLike[str], *, chief: bool = True
) -> Iterator[Path]:
    """Gives a path to write to, which then takes the place of a file.

    Whoever reads the file sees the old or the new one, whole, also after a
    kill or a loss of power. Errors, and the end of the process, leave the old
    one. One process at a time may write a file.

    Args:
        filepath: The file. What it is a link to is replaced.
        chief: Whether this process is to write the file. If not, what is
            written is thrown away: of several workers all must go through the
            writing, as they meet where state is read.
    """
    if not chief:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / Path(filepath).name
        return
    path = Path(os.path.realpath(filepath))
    # The same name every time, so that killed writers leave one file at most;
    # at the same place, as a file cannot move to another disk in one go.
    unfinished = path.with_name(f".unfinished.{path.name}")
    try:
        yield unfinished
        _to_disk(unfinished)
        os.replace(unfinished, path)
        _to_disk(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def check_archive(filepath: str | os.PathLike[str]) -> None:
    """Reads a `.keras` file through and compares its checksums.

    Raises:
        FileNotFoundError: if there is none.
        OSError: if it is damaged.
    """
    path = os.fspath(filepath)
    if not os.path.exists(path):
        raise FileNotFoundError(
            conversation(
                "There must be a file to load.",
                received=f"'{path}', which does not exist.",
            )
        )
    wrong = _what_is_wrong(path)
    if wrong is not None:
        raise damaged(path, wrong)


def archive_path(path: str | os.PathLike[str], what: str) -> Path:
    """Returns the path of a file to be saved to, once its ending is checked.

    Args:
        path: The path.
        what: What is saved there, at the beginning of a sentence.

    Raises:
        ValueError: if it does not end in `.keras`.
    """
    path = Path(path)
    if path.suffix != ARCHIVE:
        raise ValueError(
            conversation(
                f"{what} is saved to a `.keras` file.",
                received=f"{os.fspath(path)!r}.",
                fix=f"write {os.fspath(path.with_suffix(ARCHIVE))!r}.",
            )
        )
    return path


def damaged(filepath: Any, wrong: str) -> OSError:
    """Returns the error for a file that cannot be read."""
    return OSError(
        conversation(
            "The file must be whole, as it was saved.",
            received=f"'{filepath}': {wrong}.",
            fix="load an earlier file. `AdversarialModel.save` never leaves "
            "half a file; a copy that was cut short does.",
        )
    )


def _what_is_wrong(path: str) -> str | None:
    size = os.path.getsize(path) if os.path.isfile(path) else None
    if size is None:
        return "it is no file"
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            names = archive.namelist()
    except Exception as reason:
        # Whatever is wrong with a zip file, its reader trips over in its way.
        return f"its {size} bytes are no whole zip archive ({reason})"
    if bad is not None:
        return f"the checksum of its part '{bad}' does not fit"
    missing = [name for name in NEEDED if name not in names]
    return f"its part '{missing[0]}' is missing" if missing else None


def _to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
