"""Keeps the best model by one number."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras

from adversarial.files import ARCHIVE, archive_path


class BestModel:
    """Saves a model, or remembers its weights, when a number gets better.

    The file is replaced in one go: an interrupt leaves the one before. Beside
    it a small JSON file says what the number was, so that a run that is
    resumed goes on comparing.

    Args:
        monitor: The name of the number.
        direction: `"min"` or `"max"`: which is better.
        path: A `.keras` file to save to; `None` saves nothing. Its folder is
            made.
        remember: Whether to keep a copy of the best weights in memory.

    Attributes:
        value: The best number so far, or `None`.
        step: The training step after which it was seen, or `None`.

    Raises:
        ValueError: for the path of another kind of file.
    """

    def __init__(
        self,
        monitor: str,
        direction: str,
        path: str | os.PathLike[str] | None = None,
        *,
        remember: bool = False,
    ) -> None:
        self.monitor = monitor
        self.direction = direction
        what = "The best model"
        self.path = None if path is None else archive_path(path, what)
        self.remember = remember
        self.value: float | None = None
        self.step: int | None = None
        self._weights: list[Any] | None = None

    def resume(self, step: int) -> None:
        """Looks up what was saved, if the training goes on after `step`.

        A record of another number, or of a later step than the model is at,
        is of another run, and does not count.
        """
        if self.path is None or self.value is not None or not step:
            return
        record = self._record()
        if not (self.path.exists() and record.exists()):
            return
        found = json.loads(record.read_text())
        if found["monitor"] == self.monitor and found["step"] <= step:
            self.value, self.step = found["value"], found["step"]

    def offer(self, value: float, model: keras.Model, step: int) -> bool:
        """Keeps the model if it is the best so far; NaN never is.

        Returns:
            Whether it was kept.
        """
        if value != value or not self._improves(value):
            return False
        if self.path is not None:
            self._save(model, value, step)
        if self.remember:
            self._weights = model.get_weights()
        self.value, self.step = value, step
        return True

    def restore(self, model: keras.Model) -> None:
        """Puts the remembered weights back, if there are any."""
        if self._weights is not None:
            model.set_weights(self._weights)

    def _improves(self, value: float) -> bool:
        if self.value is None:
            return True
        if self.direction == "min":
            return value < self.value
        return value > self.value

    def _record(self) -> Path:
        return Path(f"{self.path}.json")

    def _save(self, model: keras.Model, value: float, step: int) -> None:
        path = Path(str(self.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".tmp{ARCHIVE}")
        model.save(unfinished)
        os.replace(unfinished, path)
        # Second, so that what the record says was reached by the model.
        written = {"monitor": self.monitor, "value": value, "step": step}
        text = self._record().with_suffix(".tmp")
        text.write_text(json.dumps(written))
        os.replace(text, self._record())
