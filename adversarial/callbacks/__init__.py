"""Callbacks for adversarial training."""

from adversarial.callbacks.averaged_weights import (
    AveragedWeights as AveragedWeights,
)
from adversarial.callbacks.backup import Backup as Backup
from adversarial.callbacks.divergence_watch import (
    DivergenceWatch as DivergenceWatch,
)
from adversarial.callbacks.for_player import ForPlayer as ForPlayer
from adversarial.callbacks.game_diagnostics import (
    GameDiagnostics as GameDiagnostics,
)
from adversarial.callbacks.history_file import HistoryFile as HistoryFile
from adversarial.callbacks.image_grid import (
    ImageGrid as ImageGrid,
    write_grid as write_grid,
)
from adversarial.callbacks.latent_interpolation import (
    LatentInterpolation as LatentInterpolation,
)
from adversarial.callbacks.metrics_on_samples import (
    MetricsOnSamples as MetricsOnSamples,
)
from adversarial.callbacks.player_progress import (
    PlayerProgress as PlayerProgress,
)

__all__ = [
    "AveragedWeights",
    "Backup",
    "DivergenceWatch",
    "ForPlayer",
    "GameDiagnostics",
    "HistoryFile",
    "ImageGrid",
    "LatentInterpolation",
    "MetricsOnSamples",
    "PlayerProgress",
    "write_grid",
]
