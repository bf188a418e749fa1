"""Averages of the players' parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer,
    get,
)
from adversarial.optimizers.checks import checked_choice, checked_number
from adversarial.registry import register

KINDS = ("ema", "uniform")


@register("optimizers")
class Averaging(AdversarialOptimizer):
    """Averages of the parameters are kept beside the training.

    The training does not change; evaluate, predict and save with the averages,
    inside `with model.optimizer.averaged():`. Generators look better so, and
    on min_x max_y xy the uniform average of alternating steps converges
    though the players circle.

        theta   <- step of `inner` at theta
        average <- average + w * (theta - average)

    with w = 1 - decay and the first average at the start, for `"ema"`;
    w = 1 / t after step t, for `"uniform"`.

    Facts: order and field evaluations of `inner`, any number of players,
    state: one copy of the parameters.

    Args:
        inner: The strategy that makes the steps, its name or its config.
        kind: `"ema"`, an exponential moving average, or `"uniform"`, the mean
            of the points after all steps.
        decay: For `"ema"`, the weight of the past, from 0 to 1; averages over
            about 1 / (1 - decay) steps.

    Raises:
        ValueError: for an unknown `kind` or a `decay` out of range.

    Moving statistics, such as those of batch normalisation, are not averaged.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Averaging(
    ...     "extra_gradient", decay=0.9999
    ... )

    References:
        - Yazici et al., The Unusual Effectiveness of Averaging in GAN
          Training, ICLR 2019, arXiv 1806.04498.
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self,
        inner: Any = "alternating",
        kind: str = "ema",
        decay: float = 0.999,
    ) -> None:
        super().__init__(get(inner))
        checked_choice("kind", kind, KINDS)
        self.kind = kind
        self.decay = checked_number("decay", decay, least=0, most=1)

    def build(self, game: Game) -> None:
        """Makes the averages."""
        self.average = self.add_slots(game, "average")

    def step(self, game: Game) -> None:
        """Plays `inner` and takes its result into the average."""
        start = game.point
        self.inner(game)
        game.assign(self.average, start, when=ops.equal(self.iterations, 0))
        theta, average = game.point, self.average
        weight: Any = 1 - self.decay
        if self.kind == "uniform":
            weight = 1 / ops.cast(self.iterations + 1, keras.config.floatx())

        def averaged() -> Joint:
            step: Joint = weight * (theta - Joint(average))
            return Joint(average) + step

        game.assign(average, averaged)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Puts the averages in the place of the parameters, for a while.

        Raises:
            ValueError: before the model is compiled, or before a step.
        """
        if not self.built or not int(self.iterations.numpy()):
            raise ValueError(
                conversation(
                    "There is no average before the first step.",
                    fix="call `fit` first.",
                )
            )
        now = Joint(self._owned.value)
        self._place(Joint(self.average))
        try:
            yield
        finally:
            self._place(now)

    def _place(self, point: Joint) -> None:
        for name, block in self._owned.value.items():
            for variable, value in zip(block, point[name], strict=True):
                # A copy: JAX uses up what a variable holds.
                variable.assign(ops.copy(value))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "decay": self.decay,
        }
