"""From parts to the networks of a game."""

from adversarial.builders.gan import (
    build_bigan as build_bigan,
    build_gan as build_gan,
    gan_targets as gan_targets,
    named_outputs as named_outputs,
)

__all__ = ["build_bigan", "build_gan", "gan_targets", "named_outputs"]
