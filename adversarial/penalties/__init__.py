"""Penalties and regularisers of players.

The layers here look at a network inside the base model; their outputs become
terms of a loss by `adversarial.losses.Penalty`.
"""

from adversarial.penalties.dragan import DRAGAN as DRAGAN
from adversarial.penalties.gradient_penalty import (
    GradientPenalty as GradientPenalty,
)
from adversarial.penalties.lecam import LeCam as LeCam
from adversarial.penalties.max_gradient_penalty import (
    MaxGradientPenalty as MaxGradientPenalty,
)
from adversarial.penalties.network_penalty import (
    NetworkPenalty as NetworkPenalty,
)
from adversarial.penalties.orthogonal import (
    OrthogonalRegularizer as OrthogonalRegularizer,
)
from adversarial.penalties.path_length import PathLength as PathLength
from adversarial.penalties.r1 import R1 as R1
from adversarial.penalties.r2 import R2 as R2
from adversarial.penalties.top_k import TopK as TopK
from adversarial.penalties.weight_clipping import (
    WeightClipping as WeightClipping,
    clip_weights as clip_weights,
)

__all__ = [
    "DRAGAN",
    "R1",
    "R2",
    "GradientPenalty",
    "LeCam",
    "MaxGradientPenalty",
    "NetworkPenalty",
    "OrthogonalRegularizer",
    "PathLength",
    "TopK",
    "WeightClipping",
    "clip_weights",
]
