"""Strategies: how the players of a game move."""

from typing import Any

from adversarial import registry
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer as AdversarialOptimizer,
)
from adversarial.optimizers.alternating import Alternating as Alternating
from adversarial.optimizers.scheduled import Scheduled as Scheduled
from adversarial.optimizers.simultaneous import Simultaneous as Simultaneous

__all__ = ["AdversarialOptimizer", "Alternating", "Scheduled", "Simultaneous"]


def get(identifier: Any) -> AdversarialOptimizer:
    """Returns the strategy for a name, a config or a strategy.

    Args:
        identifier: A snake_case name such as `"alternating"`, a Keras
            serialisation config, or an `AdversarialOptimizer`.

    Raises:
        ValueError: for an unknown name; the nearest spelling is offered.
        TypeError: for anything that is not a strategy.
    """
    strategy: AdversarialOptimizer = registry.get(
        "optimizers", identifier, AdversarialOptimizer, "strategy"
    )
    return strategy
