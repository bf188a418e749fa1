"""The losses and metrics of one player, compiled by Keras."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.errors import conversation
from adversarial.label_range import refusal_of_labels
from adversarial.registry import snake_case
from adversarial.same_rows import unless_rows_differ

Tensor = Any
SPARSE = (
    "sparse_categorical_crossentropy",
    "categorical_generalized_cross_entropy",
)
"""Losses whose targets are numbers of classes, without the last axis."""
UNLIKE = ("ctc", "circle", "crossentropy", "ce", "loss_function_wrapper")
"""Losses whose targets need not look like the outputs."""


class Objective(keras.Model):  # type: ignore[misc]
    """Reads one player's outputs: its loss, per-output losses and metrics.

    Keras does the work: this model has no layers, only what `compile` makes.

    Args:
        player: The player's name.
        outputs: The names of the player's outputs, in flat order.
        loss: What Keras' `compile` takes, one entry per output; `None` if the
            loss does not come from here.
        loss_weights: One number per output, or `None`.
        metrics: One list of metrics per output, or `None`.
        weighted_metrics: The same, weighted by the sample weights.
    """

    def __init__(
        self,
        player: str,
        outputs: list[str],
        *,
        loss: list[Any] | None = None,
        loss_weights: list[float] | None = None,
        metrics: list[Any] | None = None,
        weighted_metrics: list[Any] | None = None,
    ) -> None:
        super().__init__(name=f"{player}_objective")
        if loss is None and loss_weights is not None:
            raise ValueError(
                conversation(
                    "`loss_weights` must weigh the losses that `loss` gives "
                    "the outputs.",
                    received=f"`loss_weights` for player '{player}', whose "
                    "outputs have no such losses.",
                    fix="leave `loss_weights` out.",
                )
            )
        self.player = player
        self.single = len(outputs) == 1
        self.output_names = [f"{player}_{name}" for name in outputs]
        self.given_losses = loss
        self.reads_loss = loss is not None
        self.reads_metrics = bool(metrics or weighted_metrics)
        self.ready = False
        self.compile(
            optimizer=None,
            loss=self._packed(loss and [_asked(x) for x in loss]),
            loss_weights=self._packed(loss_weights),
            metrics=self._packed(metrics),
            weighted_metrics=self._packed(weighted_metrics),
        )

    def prepare(self, targets: Any, outputs: Any, weights: Any) -> None:
        """Creates the metrics' variables, once, from a batch of zeros."""
        if self.ready:
            return
        self._check(targets, outputs, weights)
        with backend.concrete():
            y, y_pred, w = (
                None if part is None else [_zeros(x) for x in part]
                for part in (targets, outputs, weights)
            )
            # The scope makes the variables where it ends, outside the trace:
            # those of several replicas cannot be made inside.
            with keras.StatelessScope():
                if self.reads_loss:
                    self._loss_of(y, y_pred, w)
                # Traced, not run: some metrics refuse to measure one sample.
                backend.specs_of(
                    lambda parts: self.update(*parts, loss=ops.zeros(())),
                    (y, y_pred, w),
                )
            self.reset_metrics()
        self.ready = True

    def loss_of(self, targets: Any, outputs: Any, weights: Any) -> Tensor:
        """Returns the weighted sum of the losses on the outputs, a scalar.

        Outside a `keras.StatelessScope` it also updates the mean of each
        output's loss.

        Where sizes are not known before a step runs, targets or weights with
        another number of rows than the outputs make the loss NaN, so that the
        step is refused instead of learning from rows that were broadcast. So
        does a label that is no number of a class, in a compiled step.

        Raises:
            ValueError: if a target is missing or does not have the shape of
                its output, if weights do not fit, or if a label whose value is
                known is no number of a class.
        """
        self._check(targets, outputs, weights)
        # Asked before the engine, some of which fail in words of their own.
        refusals = [
            refusal_of_labels(given, y, y_pred)
            for given, y, y_pred in zip(
                self.given_losses or [], targets or [], outputs, strict=False
            )
            if y is not None and _kind(given) in SPARSE
        ]
        loss = sum(refusals, start=self._loss_of(targets, outputs, weights))
        parts = [targets, *([] if weights is None else [weights])]
        judged = [
            x
            for part in parts
            for given, x in zip(self.given_losses or [], part, strict=True)
            if x is not None and _kind(given) is not None
        ]
        return unless_rows_differ(loss, outputs[0], judged)

    def update(
        self, targets: Any, outputs: Any, weights: Any, *, loss: Tensor
    ) -> None:
        """Updates the mean loss, the losses per output and the metrics."""
        size = ops.shape(outputs[0])[0]
        tracker = next(m for m in self.metrics if m.name == "loss")
        tracker.update_state(loss, sample_weight=size)
        if self.reads_loss and not self.single:
            self._loss_of(targets, outputs, weights)
        if self.reads_metrics:
            self.compute_metrics(
                None,
                self._packed(targets),
                self._packed(outputs),
                self._packed(weights),
            )

    def results(self) -> dict[str, Tensor]:
        """Returns the values of all metrics under their full names.

        Those of a metric that has several come one by one.
        """
        prefix = f"{self.player}_"
        values: dict[str, Tensor] = {}
        for name, value in self.get_metrics_result().items():
            values |= value if isinstance(value, dict) else {name: value}
        return {
            name if name.startswith(prefix) else prefix + name: value
            for name, value in values.items()
        }

    def _loss_of(self, targets: Any, outputs: Any, weights: Any) -> Tensor:
        if weights is not None:
            weights = [
                aligned(loss, y_pred, w)
                for loss, y_pred, w in zip(
                    self.given_losses or [], outputs, weights, strict=True
                )
            ]
        return self.compute_loss(
            x=None,
            y=self._packed(targets),
            y_pred=self._packed(outputs),
            sample_weight=self._packed(weights),
        )

    def _check(self, targets: Any, outputs: Any, weights: Any) -> None:
        if self.given_losses is None:
            return
        check_shapes(self.output_names, self.given_losses, targets, outputs)
        if weights is not None:
            check_weights(
                self.output_names, self.given_losses, weights, outputs
            )

    def _packed(self, values: list[Any] | None) -> Any:
        return values[0] if values is not None and self.single else values


def _asked(loss: Any) -> Any:
    """Lets a user's function say so itself if it returns nothing."""
    if not inspect.isfunction(loss):
        return loss

    @functools.wraps(loss)
    def called(y: Tensor, y_pred: Tensor) -> Tensor:
        value = loss(y, y_pred)
        if value is None:
            raise ValueError(
                conversation(
                    f"The loss '{loss.__name__}' must return numbers.",
                    received="None.",
                    fix="end it in `return ...`.",
                )
            )
        return value

    return called


def check_shapes(
    names: list[str], losses: list[Any], targets: list[Any], outputs: list[Any]
) -> None:
    """Refuses targets that a Keras loss would silently broadcast.

    Only losses that Keras ships are judged; what a user's own loss does with
    its targets is its own affair.

    Args:
        names: The names of the targets.
        losses: What `compile` was given for each output.
        targets: The targets.
        outputs: The outputs.

    Raises:
        ValueError: if a target's shape does not fit the output's.
    """
    for name, loss, y, y_pred in zip(
        names, losses, targets, outputs, strict=True
    ):
        kind = _kind(loss)
        if loss is not None and y is None:
            raise ValueError(
                conversation(
                    f"The output '{name}' has a loss, so it needs a target.",
                    received="None.",
                    fix="pass an array, or compile with no loss for this "
                    "output.",
                )
            )
        if y is None or kind is None or kind in UNLIKE:
            continue
        expected = tuple(y_pred.shape)
        if kind in SPARSE:
            expected = expected[:-1]
        if not _fits(tuple(y.shape), expected):
            raise ValueError(
                conversation(
                    f"The target '{name}' must have the shape of its output"
                    f"{' without the last axis' if kind in SPARSE else ''}.",
                    expected=_shape(expected) + ".",
                    received=_shape(tuple(y.shape), expected) + ".",
                )
            )


def check_weights(
    names: list[str], losses: list[Any], weights: list[Any], outputs: list[Any]
) -> None:
    """Refuses sample weights that would be broadcast over other samples.

    Args:
        names: The names of the targets.
        losses: What `compile` was given for each output.
        weights: The sample weights of each output, or `None`.
        outputs: The outputs.

    Raises:
        ValueError: if the weights are not one per sample, nor one per value of
            a loss that Keras ships.
    """
    for name, loss, w, y_pred in zip(
        names, losses, weights, outputs, strict=True
    ):
        if w is None:
            continue
        shape, rows = tuple(w.shape), tuple(y_pred.shape)[:1]
        expected = _values_shape(loss, y_pred) or rows
        own = _values_shape(loss, y_pred) is None
        if shape[1:] and shape[-1] == 1 and len(shape) == len(expected) + 1:
            shape = shape[:-1]
        fits = _alike(shape[: len(expected)], expected[: len(shape)])
        if not shape or not fits or (not own and len(shape) > len(expected)):
            each = "" if len(expected) < 2 else f" or {_shape(expected)}"
            raise ValueError(
                conversation(
                    f"The sample weights of '{name}' must be one per sample.",
                    expected=f"(batch,){each}.",
                    received=_shape(tuple(w.shape), rows) + ".",
                )
            )


def aligned(loss: Any, y_pred: Tensor, weight: Tensor | None) -> Tensor | None:
    """Gives weights per sample the axes of a loss with a value per pixel.

    Keras lines shapes up at their ends: it would take weights of shape (batch,)
    for those of the columns of an image.
    """
    values = _values_shape(loss, y_pred)
    if weight is None or values is None or len(values) < 2:
        return weight
    weight = ops.convert_to_tensor(weight)
    rank = len(weight.shape)
    if rank == len(values) + 1:
        return ops.squeeze(weight, -1)
    missing = [1] * (len(values) - rank)
    return ops.reshape(weight, (*ops.shape(weight), *missing))


def _values_shape(loss: Any, y_pred: Tensor) -> tuple[int | None, ...] | None:
    """The shape of what a loss that Keras ships makes of an output."""
    kind = _kind(loss)
    shape = tuple(y_pred.shape)
    known = kind is not None and kind not in UNLIKE and len(shape) > 1
    return shape[:-1] if known else None


def _alike(
    shape: tuple[int | None, ...], expected: tuple[int | None, ...]
) -> bool:
    return all(
        a is None or b is None or a == b or (a == 1 and i > 0)
        for i, (a, b) in enumerate(zip(shape, expected, strict=True))
    )


def _kind(loss: Any) -> str | None:
    """The snake_case name of a loss that Keras ships; `None` for others."""
    if isinstance(loss, str):
        return snake_case(loss)
    if not (getattr(loss, "__module__", None) or "").startswith("keras."):
        return None
    return snake_case(getattr(loss, "__name__", type(loss).__name__))


def _shape(
    shape: tuple[int | None, ...], like: tuple[int | None, ...] = ()
) -> str:
    """Writes a shape, with the word `batch` in the first place.

    Another number of rows than that of `like` is written out.
    """
    if not shape:
        return "a scalar"
    rest = ["?" if size is None else str(size) for size in shape[1:]]
    written = f"(batch, {', '.join(rest)})" if rest else "(batch,)"
    if like and not _fits(shape[:1], like[:1]):
        written += f", of {shape[0]} rows where the batch has {like[0]}"
    return written


def _fits(
    shape: tuple[int | None, ...], expected: tuple[int | None, ...]
) -> bool:
    if len(shape) == len(expected) - 1 and expected[-1] == 1:
        expected = expected[:-1]
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b
        for a, b in zip(shape, expected, strict=True)
    )


def _zeros(x: Tensor | None) -> Tensor | None:
    """A batch of one zero sample, shaped like `x` (unknown sizes are 1)."""
    if x is None:
        return None
    shape = [1, *(d or 1 for d in x.shape[1:])]
    return ops.zeros(shape, dtype=keras.backend.standardize_dtype(x.dtype))
