"""The losses and metrics of one player, compiled by Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial import backend

Tensor = Any


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
        self.player = player
        self.single = len(outputs) == 1
        self.output_names = [f"{player}_{name}" for name in outputs]
        self.reads_loss = loss is not None
        self.reads_metrics = bool(metrics or weighted_metrics)
        self.ready = False
        self.compile(
            optimizer=None,
            loss=self._packed(loss),
            loss_weights=self._packed(loss_weights),
            metrics=self._packed(metrics),
            weighted_metrics=self._packed(weighted_metrics),
        )

    def prepare(self, targets: Any, outputs: Any, weights: Any) -> None:
        """Creates the metrics' variables, once, from a batch of zeros."""
        if self.ready:
            return
        with backend.concrete():
            y, y_pred, w = (
                None if part is None else [_zeros(x) for x in part]
                for part in (targets, outputs, weights)
            )
            if self.reads_loss:
                self.loss_of(y, y_pred, w)
            self.update(y, y_pred, w, loss=ops.zeros(()))
            self.reset_metrics()
        self.ready = True

    def loss_of(self, targets: Any, outputs: Any, weights: Any) -> Tensor:
        """Returns the weighted sum of the losses on the outputs, a scalar.

        Outside a `keras.StatelessScope` it also updates the mean of each
        output's loss.
        """
        return self.compute_loss(
            x=None,
            y=self._packed(targets),
            y_pred=self._packed(outputs),
            sample_weight=self._packed(weights),
        )

    def update(
        self, targets: Any, outputs: Any, weights: Any, *, loss: Tensor
    ) -> None:
        """Updates the mean loss, the losses per output and the metrics."""
        size = ops.shape(outputs[0])[0]
        tracker = next(m for m in self.metrics if m.name == "loss")
        tracker.update_state(loss * backend.replicas(), sample_weight=size)
        if self.reads_loss and not self.single:
            self.loss_of(targets, outputs, weights)
        if self.reads_metrics:
            self.compute_metrics(
                None,
                self._packed(targets),
                self._packed(outputs),
                self._packed(weights),
            )

    def results(self) -> dict[str, Tensor]:
        """Returns the values of all metrics under their full names."""
        prefix = f"{self.player}_"
        values = self.get_metrics_result()
        return {
            name if name.startswith(prefix) else prefix + name: value
            for name, value in values.items()
        }

    def _packed(self, values: list[Any] | None) -> Any:
        return values[0] if values is not None and self.single else values


def _zeros(x: Tensor | None) -> Tensor | None:
    """A batch of one zero sample, shaped like `x` (unknown sizes are 1)."""
    if x is None:
        return None
    shape = [1, *(d or 1 for d in x.shape[1:])]
    return ops.zeros(shape, dtype=keras.backend.standardize_dtype(x.dtype))
