"""The transforms of adaptive augmentation, each with a chance of its own.

All act on images of values from -1 to 1. The order of the table is that in
which an image meets them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from adversarial.augmentation.affine import (
    Affine,
    along,
    scaling,
    shifting,
    spinning,
    turning,
)
from adversarial.augmentation.dice import whole
from adversarial.errors import conversation, quoted, unknown

Tensor = Any
LUMA = (1.0, 1.0, 1.0)
"""The axis of grey among colours."""


@dataclass(frozen=True)
class Transform:
    """How one transform is drawn.

    Args:
        group: The word that stands for all of a kind.
        neutral: The value that changes nothing.
        value: Makes its value of a row of random numbers per image and of
            the width and height of the images.
        normal: Whether these numbers are normal, or uniform from 0 to 1.
        columns: How many numbers an image needs.
        chance: Makes of p the probability that it is made.
    """

    group: str
    neutral: float
    value: Callable[[Tensor, Tensor], Tensor]
    normal: bool = False
    columns: int = 1
    chance: Callable[[Tensor], Tensor] = lambda p: p

    def drawn(self, numbers: Tensor, sizes: Tensor, made: Tensor) -> Tensor:
        """Returns its value for each image, neutral where it is not made.

        Args:
            numbers: Shape (batch, columns).
            sizes: The width and the height.
            made: Whether it is made, shape (batch, 1).
        """
        return ops.where(made, self.value(numbers, sizes), self.neutral)


def _log_normal(group: str, deviation: float) -> Transform:
    """A factor, 2 to the power of a normal number."""
    scale = deviation * math.log(2)
    return Transform(group, 1.0, lambda n, _: ops.exp(scale * n), normal=True)


def _angle(u: Tensor, sizes: Tensor) -> Tensor:
    return math.pi * (2 * u - 1)


def _either(p: Tensor) -> Tensor:
    """The chance of each of two, of which one at least has the chance p."""
    return 1 - ops.sqrt(1 - p)


TRANSFORMS = {
    "x_flip": Transform("blit", 0.0, lambda u, _: whole(u, 0, 2)),
    "rotate90": Transform("blit", 0.0, lambda u, _: whole(u, 0, 4)),
    "integer_translation": Transform(
        "blit",
        0.0,
        lambda u, sizes: ops.round((2 * u - 1) / 8 * sizes),
        columns=2,
    ),
    "isotropic_scaling": _log_normal("geometry", 0.2),
    "rotation_before": Transform("geometry", 0.0, _angle, chance=_either),
    "anisotropic_scaling": _log_normal("geometry", 0.2),
    "rotation_after": Transform("geometry", 0.0, _angle, chance=_either),
    "fractional_translation": Transform(
        "geometry",
        0.0,
        lambda n, sizes: n / 8 * sizes,
        normal=True,
        columns=2,
    ),
    "brightness": Transform("color", 0.0, lambda n, _: 0.2 * n, normal=True),
    "contrast": _log_normal("color", 0.5),
    "luma_flip": Transform("color", 0.0, lambda u, _: whole(u, 0, 2)),
    "hue": Transform("color", 0.0, _angle),
    "saturation": _log_normal("color", 1.0),
    "noise": Transform(
        "corruption", 0.0, lambda n, _: ops.abs(0.1 * n), normal=True
    ),
    # A hole around a neutral center is outside of the image.
    "cutout": Transform("corruption", -1.0, lambda u, _: u, columns=2),
}


def _turn(angle: Tensor) -> Affine:
    return turning(ops.cos(angle), ops.sin(angle))


SOURCES: Mapping[str, Callable[[Tensor], Affine]] = {
    "x_flip": lambda i: scaling([1 - 2 * i, ops.ones_like(i)]),
    # The cosines and sines of 0, 1, 2 and 3 quarter turns, exactly.
    "rotate90": lambda i: turning(ops.abs(i - 2) - 1, 1 - ops.abs(i - 1)),
    "integer_translation": lambda t: shifting(-t),
    "isotropic_scaling": lambda s: scaling([1 / s, 1 / s]),
    "rotation_before": _turn,
    "anisotropic_scaling": lambda s: scaling([1 / s, s]),
    "rotation_after": _turn,
    "fractional_translation": lambda t: shifting(-t),
}
"""Where the pixels of the result come from, in pixels from the center."""

COLORS: Mapping[str, Callable[[Tensor], Affine]] = {
    "brightness": lambda b: shifting(ops.repeat(b, 3, axis=1)),
    "contrast": lambda c: scaling([c, c, c]),
    "luma_flip": lambda i: along(LUMA, 1 - 2 * i, ops.ones_like(i)),
    "hue": lambda angle: spinning(LUMA, ops.cos(angle), ops.sin(angle)),
    "saturation": lambda s: along(LUMA, ops.ones_like(s), s),
}
"""What becomes of a colour (red, green, blue)."""


def source_of(parameters: Mapping[str, Tensor]) -> Affine | None:
    """Returns where pixels come from; `None` if all stay where they are."""
    found = None
    for name in [name for name in SOURCES if name in parameters]:
        step = SOURCES[name](parameters[name])
        # Later transforms come first on the way back to the image.
        found = step if found is None else found.after(step)
    return found


def color_of(parameters: Mapping[str, Tensor]) -> Affine | None:
    """Returns what becomes of colours; `None` if all stay what they are."""
    found = None
    for name in [name for name in COLORS if name in parameters]:
        step = COLORS[name](parameters[name])
        found = step if found is None else step.after(found)
    return found


def transforms_of(words: Sequence[str]) -> list[str]:
    """Returns the transforms that words stand for, in their order."""
    meant = _meanings()
    chosen = {name for word in words for name in meant[word]}
    return [name for name in TRANSFORMS if name in chosen]


def known_transforms(words: str | Sequence[str]) -> tuple[str, ...]:
    """Returns names of transforms and of groups as they came.

    Args:
        words: One, or several.

    Raises:
        ValueError: if there are none, or for one that is not known.
    """
    known = list(_meanings())
    several = isinstance(words, list | tuple)
    given: tuple[Any, ...] = tuple(words) if several else (words,)
    for word in given:
        if not isinstance(word, str) or word not in known:
            raise unknown("transform", word, known)
    if not given:
        raise ValueError(
            conversation(
                "There must be a transform.",
                expected=f"some of {quoted(known)}.",
                received="none.",
                fix="leave the layer out for no augmentation.",
            )
        )
    return given


def _meanings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, transform in TRANSFORMS.items():
        # The user's word for both rotations is `rotation`.
        own = name.removesuffix("_before").removesuffix("_after")
        for word in (transform.group, own):
            found.setdefault(word, []).append(name)
    return found
