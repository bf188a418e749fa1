"""Measures a generator while it is trained."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from adversarial import backend
from adversarial.callbacks.averaged_weights import averages_of
from adversarial.callbacks.best_model import BestModel
from adversarial.callbacks.fixed_noise import fixed_noise
from adversarial.callbacks.fixed_samples import FixedSamples
from adversarial.callbacks.metric_group import MetricGroup
from adversarial.errors import conversation, quoted
from adversarial.metrics.arguments import whole

FOLDER = "samples"
"""In `log_dir`, beside the `train` and `validation` of Keras' TensorBoard."""


class MetricsOnSamples(keras.callbacks.Callback):  # type: ignore[misc]
    """Computes metrics of generated samples every few epochs.

    The values join the logs, under the metrics' names: put it before the
    callbacks that read them, such as `CSVLogger`, `ModelCheckpoint` and
    `EarlyStopping`. `History` has them in any case.

    It measures after the first epoch that it sees, after every k-th, and
    after the last one. The epochs in between repeat the value before, since
    Keras' callbacks want every log in every epoch: so the lists of `History`
    are equally long, and a `patience` counts epochs, not measurements.
    `history` and `steps` have the measurements alone.

    Training is not changed by it, bit for bit: the random state is put back.
    The latents are the same each time, so that the curve shows the generator
    and not the luck of the draw; it is off by the same luck everywhere, and a
    new `seed` says by how much. The features of the real samples are computed
    once. Metrics with one extractor share its work: give all the same object.

    Args:
        metrics: A metric of `adversarial.metrics`, its name, or a list. Those
            that were made with `keep_real=True` and have real samples already
            (see `FrechetDistance.read_real`) keep them.
        generate: The generator, a built Keras model with one input, which
            gets standard normal latents; or a function of a number n that
            returns n samples. A function that draws with `keras.random`, a
            layer of the model or NumPy's global state draws the same each
            time.
        real: Real samples: an array or tensor, first axis the samples; or an
            iterable that ends, of batches or of tuples whose first entry is
            a batch. All are used. `None` for metrics that need none, or have
            them.
        samples: How many to generate. Compare values of equal numbers only.
        batch_size: How many to make, and to extract features of, at once.
        every: The number of epochs from one measurement to the next.
        averaged: Whether to measure, and keep, the model with the averages of
            an `Averaging` strategy in the place of the weights; it may be
            inside other strategies. Moving statistics are not averaged.
        seed: Of the latents, and of all else that is drawn.
        monitor: The log by which the best model is found; may be left out if
            there is only one that has a best direction.
        mode: `"min"` or `"max"`: which is better; `"auto"` asks the metric.
        keep_best: A `.keras` file in which to keep the best model; it is
            replaced in one go, and remembers its value when training is
            resumed. With `averaged` it has the averages as its weights.
        restore_best: Whether to put the best weights back after training.
        log_dir: A folder in which to write every measurement for
            TensorBoard, under `samples`; `None` writes nothing.

    Attributes:
        steps: The training step after which each measurement was made.
        history: The values of each measurement, by name.
        best: The best value of `monitor`, or `None`.
        best_step: The step at which it was measured, or `None`.

    Raises:
        ValueError: for numbers out of range; if two logs have one name; if
            `monitor` is none of them, or has no direction of its own; if a
            metric needs more samples. When training begins: without real
            samples that a metric needs; without an `Averaging` strategy that
            `averaged` needs; if generated samples are too few, of another
            shape than real ones, or not finite (also later).
        TypeError: for things that are no metric or no generator.

    Example:

    >>> import numpy as np
    >>> from adversarial.callbacks import MetricsOnSamples
    >>> measure = MetricsOnSamples(
    ...     ["frechet_distance", "density_coverage"],
    ...     generate=lambda n: np.random.normal(size=(n, 2)),
    ...     real=np.zeros((500, 2)),
    ...     samples=500,
    ...     monitor="coverage",
    ... )
    """

    def __init__(
        self,
        metrics: Any,
        generate: keras.Model | Callable[[int], Any],
        real: Any = None,
        *,
        samples: int = 5000,
        batch_size: int = 256,
        every: int = 1,
        averaged: bool = False,
        seed: int = 0,
        monitor: str | None = None,
        mode: str = "auto",
        keep_best: str | os.PathLike[str] | None = None,
        restore_best: bool = False,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.metrics = MetricGroup(metrics)
        self.metrics.check_samples(whole("samples", samples, 1))
        self.real = real
        self.every = whole("every", every, 1)
        self.averaged = averaged
        self.log_dir = log_dir
        self._samples = FixedSamples(
            generate,
            samples,
            whole("batch_size", batch_size, 1),
            whole("seed", seed, 0),
        )
        wanted = monitor is not None or keep_best is not None or restore_best
        self._best: BestModel | None = None
        if wanted or mode != "auto":
            name, better = self.metrics.choose(monitor, mode)
            self._best = BestModel(
                name, better, keep_best, remember=restore_best
            )
        self.steps: list[int] = []
        self.history: dict[str, list[float]] = {
            name: [] for name in self.metrics.directions
        }
        self._shape: tuple[int, ...] | None = None
        self._ready = self._begun = False
        self._write: Callable[[str, float, int], None] | None = None

    @property
    def best(self) -> float | None:
        """The best value of `monitor` so far."""
        return None if self._best is None else self._best.value

    @property
    def best_step(self) -> int | None:
        """The training step at which it was measured."""
        return None if self._best is None else self._best.step

    def on_train_begin(self, logs: Any = None) -> None:
        """Feeds the real samples, and tries the generator on a batch."""
        if self.averaged:
            averages_of(self.model)
        if not self._ready:
            self._warn_of_another_model()
            self._shape = self.metrics.feed_real(
                self.real, self._samples.batch_size
            )
            self._ready = True
        with self._fixed_noise():
            next(self._samples.batches(self._shape))
        if self.log_dir is not None and self._write is None:
            folder = str(Path(self.log_dir, FOLDER))
            self._write = backend.summary_writer(folder)
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Looks once for an earlier best: now all is restored that will be."""
        if not self._begun and self._best is not None:
            self._best.resume(self._step())
        self._begun = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measures, if it is time, and adds the values to the logs."""
        logs = {} if logs is None else logs
        taken = [name for name in self.history if name in logs]
        if taken:
            raise ValueError(
                conversation(
                    "Logs must have names of their own.",
                    received=f"{quoted(taken)}, which the logs hold already.",
                    fix='give the metric another one: `name="..."`.',
                )
            )
        last = epoch + 1 == self.params.get("epochs")
        if not self.steps or last or (epoch + 1) % self.every == 0:
            self.measure()
        logs.update({name: seen[-1] for name, seen in self.history.items()})

    def on_train_end(self, logs: Any = None) -> None:
        """Puts the best weights back, if asked to."""
        if self._best is not None:
            self._best.restore(self.model)

    def measure(self) -> dict[str, float]:
        """Measures now, notes the values and returns them."""
        step = self._step()
        with contextlib.ExitStack() as stack:
            if self.averaged:
                stack.enter_context(averages_of(self.model).averaged())
            with self._fixed_noise():
                batches = self._samples.batches(self._shape)
                values = self.metrics.measure(batches)
            if self._best is not None:
                self._best.offer(values[self._best.monitor], self.model, step)
        self.steps.append(step)
        for name, value in values.items():
            self.history[name].append(value)
            if self._write is not None:
                self._write(name, value, step)
        return values

    def _fixed_noise(self) -> contextlib.AbstractContextManager[None]:
        variables = [*self.model.variables, *self._samples.variables]
        return fixed_noise(self._samples.seed, variables)

    def _step(self) -> int:
        return int(backend.read(self.model.optimizer.iterations))

    def _warn_of_another_model(self) -> None:
        trained = {id(v) for v in self.model.variables}
        owned = self._samples.variables
        if owned and not any(id(v) in trained for v in owned):
            name = self._samples.generate.name  # type: ignore[union-attr]
            warnings.warn(
                f"No weight of '{name}' is one of the model that is trained: "
                "its metrics will not change. Pass the generator that is "
                "inside the model.",
                stacklevel=2,
            )
