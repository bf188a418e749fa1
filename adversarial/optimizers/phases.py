"""One strategy after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial.errors import conversation
from adversarial.game import Game
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.checks import checked_count
from adversarial.registry import register

FIX = 'write `[(500, Alternating(steps={"critic": 25})), "alternating"]`.'


@register("optimizers")
class Phases(AdversarialOptimizer):
    """One strategy after another, by the number of steps that were made.

    For a critic that is to be good before the generator moves much, as
    Wasserstein GANs are begun; for a rule that explores first and one that
    settles then; for a switch to `Averaging` or second derivatives at the end.

        with phases (n_1, A_1), ..., (n_(k-1), A_(k-1)), A_k:
        the first n_1 steps are those of A_1, the next n_2 those of A_2, ...;
        A_k makes all that follow

    Each strategy counts its own steps from 0 when its phase begins, and finds
    its state as new. Weights, moving statistics and the players' Keras
    optimizers go on from where the phase before has left them. A step that is
    held back, because something is not finite, does not count.

    Facts: order the highest of all, any number of players that all take, field
    evaluations those of the phase, state: that of all together, all the time.

    Args:
        phases: A list of pairs `(steps, strategy)`, and of the last strategy
            without a number. A strategy is an `AdversarialOptimizer`, its name
            or its config; steps are whole numbers, at least 0, which leaves
            the phase out.

    Attributes:
        lengths: The numbers of steps of all phases but the last.
        phase: The number of the present phase, from 0.

    Raises:
        ValueError: if there is no phase, one but the last has no number, the
            last has one, or a number is negative.
        TypeError: for steps that are not a whole number, or anything that is
            not a strategy.

    Example:

    >>> from adversarial.optimizers import Alternating, Phases
    >>> warm_up = Alternating(["critic", "generator"], steps={"critic": 25})
    >>> strategy = Phases([(100, warm_up), "alternating"])

    References:
        - Arjovsky, Chintala, Bottou, Wasserstein Generative Adversarial
          Networks, ICML 2017, arXiv 1701.07875, algorithm 1 (n_critic). That
          the critic makes more steps at first is in the authors' code only.

    Differs from the authors' code, whose critic takes a fresh batch for each
    of its steps: that is `Scheduled` as a phase.
    """

    field_evaluations: float | None = None

    def __init__(self, phases: Sequence[Any]) -> None:
        *before, last = _checked(phases)
        lengths = tuple(
            checked_count(f"phases[{number}][0]", steps)
            for number, (steps, _) in enumerate(before)
        )
        super().__init__(parts=[*(part for _, part in before), last])
        self.lengths = lengths

    def step(self, game: Game) -> None:
        """Plays the strategy of the present phase."""
        game.switch(self._phase(), self.parts)

    @property
    def phase(self) -> int:
        """The number of the present phase, from 0."""
        return int(self._phase())

    def _phase(self) -> Any:
        """How many phases have ended."""
        ends = np.cumsum(self.lengths, dtype="int64")
        begun = self.iterations + 0
        passed = [ops.cast(begun >= int(end), "int32") for end in ends]
        return sum(passed, ops.zeros((), "int32"))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        *before, last = map(keras.saving.serialize_keras_object, self.parts)
        pairs = zip(self.lengths, before, strict=True)
        return {"phases": [*map(list, pairs), last]}


def _checked(phases: Any) -> list[Any]:
    """The phases, if all but the last are pairs."""
    if isinstance(phases, str) or not isinstance(phases, Sequence):
        raise TypeError(
            conversation(
                "`phases` must be a list.", received=f"{phases!r}.", fix=FIX
            )
        )
    paired = [isinstance(x, list | tuple) and len(x) == 2 for x in phases]
    if not phases or not all(paired[:-1]) or paired[-1]:
        raise ValueError(
            conversation(
                "`phases` must hold pairs of a number of steps and a strategy, "
                "and last a strategy without a number.",
                received=f"{list(phases)!r}.",
                fix=FIX,
            )
        )
    return list(phases)
