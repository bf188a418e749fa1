"""Measures of how good generated samples are.

Streaming `keras.metrics.Metric`s for any features, which also work on their
own, on NumPy arrays and tensors.
"""

from adversarial.metrics.classification_accuracy_score import (
    classification_accuracy_score as classification_accuracy_score,
)
from adversarial.metrics.classifier_score import (
    ClassifierScore as ClassifierScore,
)
from adversarial.metrics.density_coverage import (
    DensityCoverage as DensityCoverage,
)
from adversarial.metrics.frechet_distance import (
    FrechetDistance as FrechetDistance,
    frechet_distance as frechet_distance,
)
from adversarial.metrics.generative_metric import (
    GenerativeMetric as GenerativeMetric,
)
from adversarial.metrics.inception import (
    inception_extractor as inception_extractor,
)
from adversarial.metrics.kernel_distance import KernelDistance as KernelDistance
from adversarial.metrics.mode_coverage import ModeCoverage as ModeCoverage
from adversarial.metrics.precision_recall import (
    PrecisionRecall as PrecisionRecall,
)
from adversarial.metrics.sliced_wasserstein import (
    SlicedWasserstein as SlicedWasserstein,
)
from adversarial.metrics.stacked_classifier import (
    StackedClassifier as StackedClassifier,
)

__all__ = [
    "ClassifierScore",
    "DensityCoverage",
    "FrechetDistance",
    "GenerativeMetric",
    "KernelDistance",
    "ModeCoverage",
    "PrecisionRecall",
    "SlicedWasserstein",
    "StackedClassifier",
    "classification_accuracy_score",
    "frechet_distance",
    "inception_extractor",
]
