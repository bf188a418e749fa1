"""Augmentations of what discriminators see, for games with few images."""

from adversarial.augmentation.adaptive_augment import (
    AdaptiveAugment as AdaptiveAugment,
)
from adversarial.augmentation.augmented import augmented as augmented
from adversarial.augmentation.diff_augment import DiffAugment as DiffAugment
from adversarial.augmentation.image_augmentation import (
    ImageAugmentation as ImageAugmentation,
)

__all__ = [
    "AdaptiveAugment",
    "DiffAugment",
    "ImageAugmentation",
    "augmented",
]
