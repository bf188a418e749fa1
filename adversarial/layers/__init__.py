"""Layers that Keras lacks and games need."""

from adversarial.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization as ConditionalBatchNormalization,
)
from adversarial.layers.equalized_learning_rate import (
    EqualizedLearningRate as EqualizedLearningRate,
)
from adversarial.layers.gradient_reversal import (
    GradientReversal as GradientReversal,
)
from adversarial.layers.latent import (
    NormalLatent as NormalLatent,
    UniformLatent as UniformLatent,
)
from adversarial.layers.minibatch_discrimination import (
    MinibatchDiscrimination as MinibatchDiscrimination,
)
from adversarial.layers.minibatch_standard_deviation import (
    MinibatchStandardDeviation as MinibatchStandardDeviation,
)
from adversarial.layers.pixel_normalization import (
    PixelNormalization as PixelNormalization,
)
from adversarial.layers.projection_head import ProjectionHead as ProjectionHead
from adversarial.layers.self_attention_2d import (
    SelfAttention2D as SelfAttention2D,
)
from adversarial.layers.spectral_normalization import (
    SpectralNormalization as SpectralNormalization,
)

__all__ = [
    "ConditionalBatchNormalization",
    "EqualizedLearningRate",
    "GradientReversal",
    "MinibatchDiscrimination",
    "MinibatchStandardDeviation",
    "NormalLatent",
    "PixelNormalization",
    "ProjectionHead",
    "SelfAttention2D",
    "SpectralNormalization",
    "UniformLatent",
]
