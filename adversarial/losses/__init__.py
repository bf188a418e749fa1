"""Losses of whole games."""

from adversarial.losses.adversarial_loss import (
    AdversarialLoss as AdversarialLoss,
)

__all__ = ["AdversarialLoss"]
