"""Keeps the history of a training in a file that survives it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adversarial import backend
from adversarial.errors import conversation, quoted
from adversarial.files import replaced

Row = dict[str, Any]
ENDINGS = (".csv", ".jsonl")
OWN = ("epoch", "step", "seconds")
"""The columns that are not logs."""


class HistoryFile(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes a row for every epoch: a column per player's loss and all logs.

    When you want it: for a curve that is there after a kill, and right after
    a resume. Keras' `CSVLogger` writes an epoch that is begun again twice, and
    drops logs that the first epoch did not have.

    Facts:
        The columns are `epoch` (from 0), `step` (training steps made, of all
        epochs), `seconds` (that the epoch took, validation included; after a
        resume in its middle, its rest), then the logs as they first came. Put
        it behind callbacks that add logs.

        The file is replaced in one go after every epoch: a kill leaves the
        rows before. When a training goes on in epoch k, by `Backup` or
        `initial_epoch`, rows from k on are replaced; one that begins at 0
        begins the file anew.

        Numbers are read back as they were. A log that an epoch did not have is
        an empty cell, or a missing key. What is not finite is the string
        `NaN`, `Infinity` or `-Infinity`, which `float` reads; JSON has no
        such numbers.

    Args:
        path: A file ending in `.csv` or `.jsonl` (one JSON object a line). Its
            folder is made.

    Attributes:
        rows: The rows in the file, as dicts.

    Raises:
        ValueError: for another ending. When training begins: if there is a
            file that is no such history. At the end of an epoch: if a log is
            called as one of the three columns.

    Example:

    >>> import adversarial, os, tempfile
    >>> from adversarial.callbacks import HistoryFile
    >>> model = adversarial.games.Bilinear().compiled("alternating", 0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = HistoryFile(os.path.join(folder, "history.csv"))
    ...     x = keras.ops.ones((4, 1))
    ...     _ = model.fit(x, epochs=2, verbose=0, callbacks=[history])
    ...     print(history.path.read_text().splitlines()[0])
    epoch,step,seconds,loss,x_loss,y_loss
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[Row] = []
        self._begun = False
        self._start = 0.0
        if self.path.suffix not in ENDINGS:
            raise ValueError(
                conversation(
                    "A history is kept in a `.csv` or `.jsonl` file.",
                    received=f"{os.fspath(path)!r}.",
                    fix=f"write {os.fspath(self.path.with_suffix('.csv'))!r}.",
                )
            )

    def on_train_begin(self, logs: Any = None) -> None:
        """Reads the rows that are there."""
        self._begun = False
        self.rows = []
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8")
            self.rows = self._read(text)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Forgets the rows from the first epoch on: they come again."""
        if not self._begun:
            self.rows = [row for row in self.rows if row["epoch"] < epoch]
        self._begun = True
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds a row, and replaces the file."""
        logs = {name: _plain(value) for name, value in (logs or {}).items()}
        taken = [name for name in OWN if name in logs]
        if taken:
            raise ValueError(
                conversation(
                    "Logs must have names of their own.",
                    received=f"{quoted(taken)}, a column of every history.",
                    fix='give the metric another one: `name="..."`.',
                )
            )
        step = int(backend.read(self.model.optimizer.iterations))
        seconds = round(time.perf_counter() - self._start, 3)
        self.rows.append(
            {"epoch": epoch, "step": step, "seconds": seconds, **logs}
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(self.path) as unfinished:
            unfinished.write_text(self._written(), encoding="utf-8")

    def _written(self) -> str:
        """The text of the file."""
        rows = [
            {name: _spelled(value) for name, value in row.items()}
            for row in self.rows
        ]
        if self.path.suffix == ".jsonl":
            return "".join(f"{json.dumps(row)}\n" for row in rows)
        columns = dict.fromkeys(name for row in rows for name in row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: _cell(value) for name, value in row.items()} for row in rows
        )
        return text.getvalue()

    def _read(self, text: str) -> list[Row]:
        """The rows in a file that this class has written."""
        try:
            if self.path.suffix == ".jsonl":
                rows = [json.loads(line) for line in text.splitlines()]
                found = [
                    {name: _value(x) for name, x in row.items()} for row in rows
                ]
            else:
                found = [
                    {name: _of(cell) for name, cell in row.items() if cell}
                    for row in csv.DictReader(io.StringIO(text, newline=""))
                ]
            if not all(
                isinstance(row[n], int) for row in found for n in OWN[:2]
            ):
                raise TypeError("epochs and steps are whole numbers")
        except (ValueError, TypeError, AttributeError, KeyError) as reason:
            raise ValueError(
                conversation(
                    "A history must be one that `HistoryFile` has written.",
                    expected=f"columns {quoted(OWN)} and logs.",
                    received=f"'{self.path}', another file.",
                    fix="give the history a file of its own; this one was not "
                    "touched.",
                )
            ) from reason
        return found


def _plain(value: Any) -> Any:
    """A log as Python's own numbers, or lists of them."""
    if isinstance(value, str):
        return value
    return np.asarray(keras.ops.convert_to_numpy(value)).tolist()


def _spelled(value: Any) -> Any:
    """With words for the numbers that JSON does not have."""
    if isinstance(value, list):
        return [_spelled(x) for x in value]
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    return value


def _value(spelled: Any) -> Any:
    """What was spelled so."""
    if isinstance(spelled, list):
        return [_value(x) for x in spelled]
    if spelled in ("NaN", "Infinity", "-Infinity"):
        return float(spelled)
    return spelled


def _cell(spelled: Any) -> Any:
    return json.dumps(spelled) if isinstance(spelled, list) else spelled


def _of(cell: str) -> Any:
    """What stands in a cell: what JSON reads, or else words."""
    try:
        return _value(json.loads(cell))
    except json.JSONDecodeError:
        return _value(cell)
