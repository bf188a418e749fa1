"""The transforms of adaptive augmentation, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from adversarial.augmentation.cutting import blanked, column, grid
from adversarial.augmentation.dice import Dice
from adversarial.augmentation.image_augmentation import per_image
from adversarial.augmentation.transforms import (
    TRANSFORMS,
    color_of,
    source_of,
)
from adversarial.augmentation.warp import warped
from adversarial.errors import conversation

Tensor = Any
HOLE = 0.5
"""The side of a cutout, as a part of the size."""


def draw_transforms(
    names: Sequence[str], dice: Dice, p: Tensor
) -> dict[str, Tensor]:
    """Draws each transform with probability p per image.

    Args:
        names: Names of transforms.
        dice: Where random numbers come from.
        p: A scalar.

    Returns:
        The value of each transform by its name, neutral where there is none;
        with `noise`, also `noise_field`, of the shape of the images.
    """
    chosen = {name: TRANSFORMS[name] for name in names}
    chances = [ops.reshape(t.chance(p), (1,)) for t in chosen.values()]
    made = dice.uniform(len(names)) < ops.cast(
        ops.concatenate(chances), dice.dtype
    )
    height, width = dice.sizes
    sizes = ops.stack([width, height])
    pools = {False: dice.uniform, True: dice.normal}
    numbers, begin = {}, {False: 0, True: 0}
    for normal, pool in pools.items():
        columns = [t.columns for t in chosen.values() if t.normal is normal]
        if columns:
            numbers[normal] = pool(sum(columns))
    found = {}
    for number, (name, transform) in enumerate(chosen.items()):
        first = begin[transform.normal]
        last = begin[transform.normal] = first + transform.columns
        row = numbers[transform.normal][:, first:last]
        is_made = made[:, number : number + 1]
        found[name] = transform.drawn(row, sizes, is_made)
    if "noise" in found:
        found["noise_field"] = dice.field()
    return found


def transformed(
    images: Tensor,
    parameters: Mapping[str, Tensor],
    middle: float,
    half: float,
) -> Tensor:
    """Makes the transforms whose parameters are there.

    Args:
        images: Shape (batch, height, width, channels), float32 or float64.
        parameters: What `draw_transforms` returned, or a part of it.
        middle: The middle of the range of values.
        half: Half its length.

    Returns:
        The same shape.

    Raises:
        ValueError: if colours are to be changed that are neither grey nor
            red, green and blue.
    """
    source = source_of(parameters)
    if source is not None:
        images = warped(images, source)
    images = colored(images, parameters, middle, half)
    if "noise" in parameters:
        deviation = per_image(parameters["noise"]) * half
        images = images + deviation * parameters["noise_field"]
    if "cutout" in parameters:
        hole = _hole(images, parameters["cutout"])
        images = blanked(images, hole, middle)
    return images


def colored(
    images: Tensor,
    parameters: Mapping[str, Tensor],
    middle: float,
    half: float,
) -> Tensor:
    """Makes the changes of colours whose parameters are there.

    Grey images become the mean of what red, green and blue would become.

    Args:
        images: Shape (batch, height, width, 1 or 3).
        parameters: By name.
        middle: The middle of the range of values.
        half: Half its length.

    Raises:
        ValueError: if there are not 1 or 3 channels.
    """
    change = color_of(parameters)
    if change is None:
        return images
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(
            conversation(
                "Colours are those of grey or of red, green and blue images.",
                expected="1 or 3 channels.",
                received=f"{channels} channels.",
                fix="leave the group 'color' out of `transforms`.",
            )
        )
    linear = change.linear
    # Of values from -1 to 1 to those of the range.
    sums = ops.sum(linear, axis=2)
    offset = middle * (1 - sums) + half * change.offset
    if channels == 1:
        factor = ops.mean(sums, axis=1, keepdims=True)
        offset = ops.mean(offset, axis=1, keepdims=True)
        return images * per_image(factor) + per_image(offset)
    result = ops.reshape(offset, (-1, 1, 1, 3))
    for k in range(3):
        weights = ops.reshape(linear[:, :, k], (-1, 1, 1, 3))
        result = result + weights * images[..., k : k + 1]
    return result


def _hole(images: Tensor, centers: Tensor) -> Tensor:
    """The places less than a quarter of the size from a center."""
    hole: Tensor = True
    for axis, places in enumerate(grid(images)):
        size = ops.cast(ops.shape(images)[1 + axis], images.dtype)
        place = (places + 0.5) / size
        # Centers are given across and down.
        distance = ops.abs(place - column(centers, 1 - axis))
        hole = hole & (distance < HOLE / 2)
    return hole
