"""A strategy under examination: the models that several proofs share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from typing import Any

import keras
import numpy as np

from adversarial.optimizers import AdversarialOptimizer
from adversarial.testing.bilinear_spectra import Rate
from adversarial.testing.linear_game import Array, LinearGame
from adversarial.testing.linear_model import (
    LinearModel,
    linear_model,
    precision,
)
from adversarial.testing.meter import Meter
from adversarial.testing.reference_steps import Step
from adversarial.testing.report import NotApplicable
from adversarial.testing.small_models import (
    SmallModel,
    small_chase,
    small_gan,
)
from adversarial.testing.update_matrices import UpdateMatrix

MIXED = ("mixed_float16", "mixed_bfloat16")
"""The policies of the players in mixed precision, in turn."""

SIZES = (2, 3, 1)
"""The numbers of parameters of the players, which begin again after three."""

EAGER_STEPS = 2
"""Steps played without compiling: the second one has a past."""


@dataclass(frozen=True)
class Claims:
    """What is claimed of a strategy; see `check_strategy`."""

    reference: Step | None = None
    matrix: Callable[[LinearGame], UpdateMatrix] | None = None
    rate: Callable[[float], Rate] | None = None
    names: Sequence[str] = ("p0", "p1", "p2")
    players: Sequence[int] | None = None
    zero_sum: bool = False
    symmetric: bool = True
    field_only: bool | None = None
    alone_as_fit: bool = False
    tolerance: float = 1e-12


class Subject:
    """A strategy, what is claimed of it, and models that it plays.

    `gan`, `single` and `mixed` are to be used under `precision("float32")`,
    all other models under `precision("float64")`.

    Args:
        strategy: The strategy, which stays unused.
        make: Returns a fresh copy of it.
        claims: What is claimed of it.
        checks_xla: Whether it will be compiled by XLA anyhow.
    """

    def __init__(
        self,
        strategy: AdversarialOptimizer,
        make: Callable[[], AdversarialOptimizer],
        claims: Claims,
        *,
        checks_xla: bool = True,
    ) -> None:
        self.strategy = strategy
        self.make = make
        self.claims = claims
        self.checks_xla = checks_xla
        declared = strategy.players
        usual = (1, 2, 3) if declared is None else (declared,)
        self.counts = sorted(claims.players or usual)
        self.many = self.counts[-1]
        self.few = min((n for n in self.counts if n > 1), default=1)
        self.meter = Meter()
        self.changes: dict[tuple[bool, bool], float] = {}

    def blocks(self, n: int) -> list[int]:
        """The number of parameters of each of n players."""
        return list(islice(cycle(SIZES), n))

    def names(self, n: int) -> list[str]:
        """The names of n players."""
        given = list(self.claims.names)
        return [*given, *(f"p{i}" for i in range(len(given), n))][:n]

    def game(self, n: int, seed: int = 0) -> LinearGame:
        """A random game of n players."""
        zero_sum = self.claims.zero_sum and n > 1
        return LinearGame.random(self.blocks(n), seed, zero_sum=zero_sum)

    def start(self, n: int, seed: int = 0) -> Array:
        """A random point of such a game."""
        generator = np.random.default_rng([seed, n])
        return generator.normal(size=sum(self.blocks(n)))

    def model(
        self, n: int, order: Sequence[int] | None = None, **kwargs: Any
    ) -> LinearModel:
        """A model of n players, which may have changed places."""
        blocks, names = self.blocks(n), self.names(n)
        order = range(n) if order is None else order
        return linear_model(
            self.make(),
            [blocks[i] for i in order],
            [names[i] for i in order],
            **kwargs,
        )

    @cached_property
    def graph(self) -> LinearModel:
        """A model of most players, compiled."""
        return self.model(self.many, on_nonfinite="warn")

    @cached_property
    def xla(self) -> LinearModel:
        """A model of few players, compiled by XLA."""
        model = self.model(self.few, jit_compile=True)
        model.play(self.game(self.few), self.start(self.few), 1)
        return model

    @cached_property
    def pair(self) -> LinearModel:
        """A model of few players, compiled; by XLA if that is checked."""
        if self.few == self.many:
            return self.graph
        if self.checks_xla:
            with contextlib.suppress(Exception):  # Which the proof will tell.
                return self.xla
        return self.model(self.few)

    @cached_property
    def eager_points(self) -> Array:
        """The first points of the first game, played eagerly and measured."""
        model = self.model(self.many, run_eagerly=True)
        model.watch = self.meter.watch
        return self.first_points(model)

    def first_points(self, model: LinearModel) -> Array:
        """The first points of the first game on a model."""
        n = len(model.model.players)
        return model.play(self.game(n), self.start(n), EAGER_STEPS)

    @cached_property
    def gan(self) -> SmallModel:
        """A small GAN, compiled, in single precision."""
        if 2 not in self.counts:
            raise NotApplicable("a GAN has two players.")
        with precision("float32"):
            zero_sum = self.claims.zero_sum
            return small_gan(self.make(), self.names(2), zero_sum=zero_sum)

    @cached_property
    def mixed(self) -> SmallModel:
        """A chase of networks in mixed precisions."""
        return self._chase(MIXED)

    @cached_property
    def single(self) -> SmallModel:
        """A model in single precision: the GAN, if there are two players."""
        return self.gan if 2 in self.counts else self._chase(["float32"])

    def _chase(self, dtypes: Sequence[str]) -> SmallModel:
        with precision("float32"):
            return small_chase(
                self.make(),
                self.names(self.few),
                dtypes=dtypes,
                zero_sum=self.claims.zero_sum,
            )


def memory_of(strategy: AdversarialOptimizer) -> list[keras.Variable]:
    """The variables of a strategy and its inner ones, without counters."""
    counters, within = set(), [strategy]
    while within:
        each = within.pop()
        counters.add(id(each.iterations))
        within.extend(each.parts)
    players = {
        id(v) for o in strategy.player_optimizers.values() for v in o.variables
    }
    return [
        v
        for v in strategy.variables
        if id(v) not in counters and id(v) not in players
    ]
