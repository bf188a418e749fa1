"""Train models that play against each other: differentiable games on Keras."""

from adversarial import backend as backend  # isort: split

from adversarial import (
    augmentation as augmentation,
    builders as builders,
    callbacks as callbacks,
    diagnostics as diagnostics,
    games as games,
    layers as layers,
    losses as losses,
    metrics as metrics,
    momentum as momentum,
    optimizers as optimizers,
    penalties as penalties,
    testing as testing,
)
from adversarial.errors import GameDivergedError as GameDivergedError
from adversarial.game import Game as Game
from adversarial.joint import Joint as Joint
from adversarial.model import AdversarialModel as AdversarialModel
from adversarial.optimizers import (
    AdversarialOptimizer as AdversarialOptimizer,
)
from adversarial.player import Player as Player
from adversarial.saving import load_model as load_model

__all__ = [
    "AdversarialModel",
    "AdversarialOptimizer",
    "Game",
    "GameDivergedError",
    "Joint",
    "Player",
    "augmentation",
    "builders",
    "callbacks",
    "diagnostics",
    "games",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "momentum",
    "optimizers",
    "penalties",
    "testing",
]
