"""Layers that Keras lacks and games need."""

from adversarial.layers.latent import (
    NormalLatent as NormalLatent,
    UniformLatent as UniformLatent,
)

__all__ = ["NormalLatent", "UniformLatent"]
