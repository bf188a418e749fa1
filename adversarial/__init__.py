"""Train models that play against each other: differentiable games on Keras."""

from adversarial import (
    builders as builders,
    callbacks as callbacks,
    layers as layers,
    losses as losses,
    optimizers as optimizers,
)
from adversarial.errors import GameDivergedError as GameDivergedError
from adversarial.game import Game as Game
from adversarial.joint import Joint as Joint
from adversarial.model import AdversarialModel as AdversarialModel
from adversarial.optimizers import (
    AdversarialOptimizer as AdversarialOptimizer,
)
from adversarial.player import Player as Player

__all__ = [
    "AdversarialModel",
    "AdversarialOptimizer",
    "Game",
    "GameDivergedError",
    "Joint",
    "Player",
    "builders",
    "callbacks",
    "layers",
    "losses",
    "optimizers",
]
