"""Losses of whole games, and the catalogue of those of GANs."""

from adversarial.losses.adversarial_loss import (
    AdversarialLoss as AdversarialLoss,
    get as get,
)
from adversarial.losses.boundary_equilibrium import (
    BoundaryEquilibrium as BoundaryEquilibrium,
    EquilibriumBalance as EquilibriumBalance,
)
from adversarial.losses.classifiers import (
    AuxiliaryClassifier as AuxiliaryClassifier,
    AuxiliaryDiscriminativeClassifier as AuxiliaryDiscriminativeClassifier,
    TwinAuxiliaryClassifier as TwinAuxiliaryClassifier,
)
from adversarial.losses.consistency import Consistency as Consistency
from adversarial.losses.contrastive import (
    ConditionalContrastive as ConditionalContrastive,
    DataToDataCrossEntropy as DataToDataCrossEntropy,
)
from adversarial.losses.energy_based import (
    EnergyBased as EnergyBased,
    PullingAway as PullingAway,
)
from adversarial.losses.feature_matching import (
    FeatureMatching as FeatureMatching,
)
from adversarial.losses.gan_loss import (
    GANLoss as GANLoss,
    SeparableLoss as SeparableLoss,
)
from adversarial.losses.hinge import Hinge as Hinge
from adversarial.losses.least_squares import LeastSquares as LeastSquares
from adversarial.losses.logistic import (
    Minimax as Minimax,
    NonSaturating as NonSaturating,
)
from adversarial.losses.loss_sum import LossSum as LossSum
from adversarial.losses.multi_class_hinge import (
    MultiClassHinge as MultiClassHinge,
)
from adversarial.losses.mutual_information import (
    MutualInformation as MutualInformation,
)
from adversarial.losses.penalty import Penalty as Penalty
from adversarial.losses.reconstruction import (
    CycleConsistency as CycleConsistency,
    Identity as Identity,
)
from adversarial.losses.relativistic import (
    RelativisticAverage as RelativisticAverage,
    RelativisticPaired as RelativisticPaired,
)
from adversarial.losses.score_loss import ScoreLoss as ScoreLoss
from adversarial.losses.wasserstein import Wasserstein as Wasserstein
from adversarial.losses.weighted import Weighted as Weighted

__all__ = [
    "AdversarialLoss",
    "AuxiliaryClassifier",
    "AuxiliaryDiscriminativeClassifier",
    "BoundaryEquilibrium",
    "ConditionalContrastive",
    "Consistency",
    "CycleConsistency",
    "DataToDataCrossEntropy",
    "EnergyBased",
    "EquilibriumBalance",
    "FeatureMatching",
    "GANLoss",
    "Hinge",
    "Identity",
    "LeastSquares",
    "LossSum",
    "Minimax",
    "MultiClassHinge",
    "MutualInformation",
    "NonSaturating",
    "Penalty",
    "PullingAway",
    "RelativisticAverage",
    "RelativisticPaired",
    "ScoreLoss",
    "SeparableLoss",
    "TwinAuxiliaryClassifier",
    "Wasserstein",
    "Weighted",
]
