"""Strategies: how the players of a game move."""

from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer as AdversarialOptimizer,
    get as get,
)
from adversarial.optimizers.alternating import Alternating as Alternating
from adversarial.optimizers.anderson import Anderson as Anderson
from adversarial.optimizers.averaging import Averaging as Averaging
from adversarial.optimizers.balanced import Balanced as Balanced
from adversarial.optimizers.competitive_gradient import (
    CompetitiveGradient as CompetitiveGradient,
)
from adversarial.optimizers.direction import Direction as Direction
from adversarial.optimizers.extra_gradient import ExtraGradient as ExtraGradient
from adversarial.optimizers.follow_the_ridge import (
    FollowTheRidge as FollowTheRidge,
)
from adversarial.optimizers.gradient_norm import (
    JARE as JARE,
    Consensus as Consensus,
    GradientNorm as GradientNorm,
    HamiltonianDescent as HamiltonianDescent,
    ODEGANRegularizer as ODEGANRegularizer,
)
from adversarial.optimizers.historical_averaging import (
    HistoricalAveraging as HistoricalAveraging,
)
from adversarial.optimizers.lead import LEAD as LEAD
from adversarial.optimizers.lookahead import Lookahead as Lookahead
from adversarial.optimizers.opponent_shaping import (
    LOLA as LOLA,
    SOS as SOS,
    PolicyPrediction as PolicyPrediction,
)
from adversarial.optimizers.optimistic import Optimistic as Optimistic
from adversarial.optimizers.phases import Phases as Phases
from adversarial.optimizers.prediction import Prediction as Prediction
from adversarial.optimizers.runge_kutta import RungeKutta as RungeKutta
from adversarial.optimizers.scheduled import Scheduled as Scheduled
from adversarial.optimizers.simultaneous import Simultaneous as Simultaneous
from adversarial.optimizers.stackelberg_gradient import (
    StackelbergGradient as StackelbergGradient,
)
from adversarial.optimizers.symplectic_gradient_adjustment import (
    SymplecticGradientAdjustment as SymplecticGradientAdjustment,
)
from adversarial.optimizers.unrolled import Unrolled as Unrolled

__all__ = [
    "JARE",
    "LEAD",
    "LOLA",
    "SOS",
    "AdversarialOptimizer",
    "Alternating",
    "Anderson",
    "Averaging",
    "Balanced",
    "CompetitiveGradient",
    "Consensus",
    "Direction",
    "ExtraGradient",
    "FollowTheRidge",
    "GradientNorm",
    "HamiltonianDescent",
    "HistoricalAveraging",
    "Lookahead",
    "ODEGANRegularizer",
    "Optimistic",
    "Phases",
    "PolicyPrediction",
    "Prediction",
    "RungeKutta",
    "Scheduled",
    "Simultaneous",
    "StackelbergGradient",
    "SymplecticGradientAdjustment",
    "Unrolled",
]
