"""Keeps a training that may be killed at any moment."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import keras

from adversarial.backend import is_chief, said_by_all
from adversarial.backend.epochs import begin_at
from adversarial.errors import conversation
from adversarial.files import archive_path, check_archive, replaced

RECORD = "training.json"
"""The part of the file that says where the training is."""


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the training every so often, and goes on from there.

    When you want it: whenever a run may be stopped, by a kill, a full disk or
    a loss of power. Start the same program again; it goes on in the epoch and
    at the batch after the last save, to the same bit on a CPU. Give it as the
    first of the callbacks, so that the others see where the training is.

    It is there because `keras.callbacks.BackupAndRestore` goes on at the
    beginning of an epoch with weights from the middle, and keeps weights and
    epoch in two files, between which it can be killed.

    Facts:
        The file is that of `AdversarialModel.save`, and where the training is.
        It is replaced in one go. Means of metrics go on, so that the logs of
        the epoch are those of all its batches. Batches that were made are
        drawn again and passed over; other callbacks see them pass, with the
        logs from after them.

        The data must be the same again, in the same order: this is yours to
        see to. `shuffle=False` is, and so is a dataset or `PyDataset` whose
        order follows from a seed and the number of the epoch. Arrays shuffled
        by `fit` are in another order in a new process: then some samples of
        the epoch come twice and others not at all, and all else is right.

        Of several workers the first writes the file, and all read it: the
        folder must be one that all machines see.

        When the training is complete the file stays, so that a kill after it
        loses nothing; `fit` to more epochs goes on from it, unless a callback
        has ended the training. What other callbacks remember is not kept, and
        the `History` begins anew.

    Args:
        path: A `.keras` file. Its folder is made.
        every: `"epoch"`, or the number of batches between saves, above 0.
        endless: Whether the data do not begin anew at every epoch, as those
            of a generator with `steps_per_epoch`: then all batches since the
            first epoch are passed over.

    Raises:
        ValueError: for another kind of file, or an `every` that is neither.
            When training begins: if the file is no backup, or of another
            model; if several workers see different files.
        OSError: when training begins: if the file is damaged.

    Warns:
        UserWarning: if the training in the file is complete.

    Example:

    >>> import adversarial, os, tempfile
    >>> from adversarial.callbacks import Backup
    >>> game = adversarial.games.Bilinear()
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "backup.keras")
    >>> for epochs in (2, 5):
    ...     model = game.compiled("alternating", 0.1)
    ...     x = keras.ops.ones((4, 1))
    ...     keep = [Backup(path, every=3)]
    ...     _ = model.fit(x, epochs=epochs, callbacks=keep, verbose=0)
    ...     print(int(model.optimizer.iterations))
    2
    5
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: int | str = "epoch",
        *,
        endless: bool = False,
    ) -> None:
        super().__init__()
        self.path = archive_path(path, "A backup")
        self.every = every
        self.endless = endless
        whole = isinstance(every, int) and not isinstance(every, bool)
        if every != "epoch" and not (whole and int(every) > 0):
            raise ValueError(
                conversation(
                    "`every` must say after how many batches to save.",
                    expected="'epoch', or a whole number above 0.",
                    received=f"{every!r}.",
                )
            )
        self._means: list[Any] | None = None
        self._begin()

    def on_train_begin(self, logs: Any = None) -> None:
        """Restores what the file has, if it is there."""
        self._begin()
        self._stop_passing()
        record = self._record_of_all()
        if record is None:
            return
        self.model.load_weights(self.path)
        self._epoch, self._batches = record["epoch"], record["batches"]
        self._total = record["total"]
        epochs = self.params["epochs"]
        if record["stopped"] or self._epoch >= epochs:
            warnings.warn(
                f"The training in '{self.path}' is complete: it has "
                f"{self._epoch} epochs"
                f"{', and a callback ended it' if record['stopped'] else ''}. "
                "Remove the file to begin anew.",
                stacklevel=2,
            )
            begin_at(self.model, max(self._epoch, epochs))
            return
        begin_at(self.model, self._epoch)
        if self._batches:
            # `fit` forgets the means at the beginning of the epoch.
            self._means = self.model.metric_state()
        earlier = self._total - self._batches if self.endless else 0
        if self._batches or earlier:
            self.model.train_function = _PassingOver(
                self.model, self._batches, earlier
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch, and restores the means of its first part."""
        begin_at(self.model, None)
        if self._means is not None:
            self.model.set_metric_state(self._means)
        else:
            self._batches = 0
        self._means = None
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves, if it is time; after the last batch the epoch saves."""
        made = max(0, batch + 1 - self._batches)
        self._batches += made
        self._total += made
        self._unsaved += made
        rest = self._batches != self.params.get("steps")
        if made and rest and self.every != "epoch" and self._due():
            self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves, if it is time; the next epoch is then to come."""
        self._epoch, self._batches = epoch + 1, 0
        if self._due() or self._epoch == self.params["epochs"]:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        """Notes if a callback has ended the training."""
        begin_at(self.model, None)
        self._stop_passing()
        if self.model.stop_training:
            self._save(stopped=True)

    def _begin(self) -> None:
        self._epoch = 0
        self._batches = 0
        """Those of this epoch."""
        self._total = 0
        self._unsaved = 0
        self._means = None

    def _due(self) -> bool:
        return self.every == "epoch" or self._unsaved >= int(self.every)

    def _stop_passing(self) -> None:
        if isinstance(self.model.train_function, _PassingOver):
            self.model.train_function = self.model.train_function.train

    def _save(self, *, stopped: bool = False) -> None:
        record = {
            "epoch": self._epoch,
            "batches": self._batches,
            "total": self._total,
            "stopped": stopped,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        chief = is_chief(self.model.distribution)
        with replaced(self.path, chief=chief) as unfinished:
            keras.saving.save_model(self.model, unfinished)
            with zipfile.ZipFile(unfinished, "a") as archive:
                archive.writestr(RECORD, json.dumps(record))
        self._unsaved = 0

    def _record_of_all(self) -> dict[str, int] | None:
        """What the file says, if it is there: the same in all workers."""
        strategy = self.model.distribution
        said_by_all(strategy, [0])  # The chief may still be writing.
        record = self._read() if self.path.exists() else None
        found = record or {"epoch": -1, "total": -1}
        said = said_by_all(strategy, [found["epoch"], found["total"]])
        if any(numbers != said[0] for numbers in said):
            each = "; ".join(
                "no file" if epoch < 0 else f"{total} batches made"
                for epoch, total in said
            )
            raise ValueError(
                conversation(
                    "All workers must go on from the same backup.",
                    received=f"'{self.path}', in the order of workers: {each}.",
                    fix="keep it in a folder that all machines see, or copy "
                    "the file of the first worker to all.",
                )
            )
        return record

    def _read(self) -> dict[str, int]:
        check_archive(self.path)
        with zipfile.ZipFile(self.path) as archive:
            if RECORD not in archive.namelist():
                raise ValueError(
                    conversation(
                        "A backup must say where the training is.",
                        received=f"'{self.path}', a model that was saved by "
                        "something else.",
                        fix="give the backup a file of its own; "
                        "`load_model` loads this one.",
                    )
                )
            record: dict[str, int] = json.loads(archive.read(RECORD))
        return record


class _PassingOver:
    """In the place of a train function: draws batches that were made.

    Args:
        model: The model, whose train function it calls afterwards.
        batches: How many batches of this epoch were made.
        earlier: How many before them.
    """

    def __init__(self, model: keras.Model, batches: int, earlier: int) -> None:
        self.model = model
        self.batches = batches
        self.earlier = earlier
        self.train = model.train_function
        self.passed = model.around(self.train, self._wrapped)

    def __call__(self, *given: Any) -> Any:
        return self.passed(*given)

    def _wrapped(self, train: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def passed(iterator: Any) -> Any:
            self._draw(iterator, self.earlier)
            self.earlier = 0
            if not self.batches:
                self.model.train_function = self.train
                return train(iterator)
            count = min(self.batches, self.model.steps_per_execution)
            self._draw(iterator, count)
            self.batches -= count
            return self.model.get_metrics_result()

        return passed

    @staticmethod
    def _draw(iterator: Any, count: int) -> None:
        for _ in range(count):
            # Where data end too early, Keras finds out with the next batch.
            next(iterator, None)
