"""Discriminators that see through an augmentation."""

from __future__ import annotations

from typing import Any

import keras

from adversarial.backend.graph import is_functional
from adversarial.errors import conversation, unknown

Tensor = Any


def augmented(
    discriminator: keras.Model,
    augment: keras.layers.Layer,
    *,
    images: str | None = None,
) -> keras.Model:
    """Puts an augmentation in front of a discriminator.

    When you want it: with `build_gan` and its like, which call what they get
    on real and on generated images: each call gets draws of its own, and all
    players of a step see the same draws.

        x -> discriminator(augment(x))

    Facts: the layers are shared, not copied, also after `save` and
    `load_model` of an `AdversarialModel`. State of the augmentation belongs
    to the player that owns the discriminator; name either model in
    `player_params`.

    Args:
        discriminator: A built model with images as an input.
        augment: A layer from images to images of the same shape, such as
            `DiffAugment` or `AdaptiveAugment`; or a model of several.
        images: The name of the input with the images; `None` for the only
            input of rank 4. Other inputs, such as labels, pass as they are.

    Returns:
        A functional model with the inputs and outputs of the discriminator.

    Raises:
        ValueError: if the discriminator is not built or no graph of layers; if
            it has no such input, or several that it could be.
        TypeError: if `augment` is no layer.

    Example:

    >>> import keras
    >>> from adversarial.augmentation import DiffAugment, augmented
    >>> discriminator = keras.Sequential(
    ...     [keras.Input((8, 8, 1)), keras.layers.Flatten(),
    ...      keras.layers.Dense(1)]
    ... )
    >>> critic = augmented(discriminator, DiffAugment())
    >>> critic.output_shape, len(critic.trainable_variables)
    ((None, 1), 2)
    """
    _check(discriminator, augment)
    structure = new_inputs(discriminator)
    inputs = keras.tree.flatten(structure)
    chosen = _images(discriminator, images)
    seen = [augment(x) if i == chosen else x for i, x in enumerate(inputs)]
    outputs = discriminator(keras.tree.pack_sequence_as(structure, seen))
    name = f"augmented_{discriminator.name}"
    return keras.Model(structure, outputs, name=name)


def new_inputs(model: keras.Model) -> Any:
    """Returns new inputs like those of a graph of layers, in its structure."""
    if not is_functional(model):
        return _input_like(model.inputs[0])
    return keras.tree.map_structure(_input_like, model.input)


def _input_like(x: Any) -> Tensor:
    return keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)


def _images(discriminator: keras.Model, images: str | None) -> int:
    """The number of the input with the images."""
    names = [x.name for x in discriminator.inputs]
    if images is not None:
        if images not in names:
            raise unknown(
                f"input of '{discriminator.name}' in `images`", images, names
            )
        return names.index(images)
    ranks = [len(x.shape) for x in discriminator.inputs]
    if ranks.count(4) != 1:
        raise ValueError(
            conversation(
                f"'{discriminator.name}' must have one input of images.",
                expected="one input of rank 4.",
                received="inputs "
                + ", ".join(
                    f"'{name}' of rank {rank}"
                    for name, rank in zip(names, ranks, strict=True)
                )
                + ".",
                fix=f'name it: `images="{names[0]}"`.' if 4 in ranks else None,
            )
        )
    return ranks.index(4)


def _check(discriminator: Any, augment: Any) -> None:
    if getattr(discriminator, "inputs", None) is None:
        raise ValueError(
            conversation(
                "The discriminator must be a built graph of layers, whose "
                "inputs are known.",
                expected="a functional or sequential model that begins with "
                "`keras.Input(shape)`.",
                received=f"{discriminator!r} of type "
                f"`{type(discriminator).__name__}`.",
                fix="wrap it: `x = keras.Input(shape)`, "
                "`keras.Model(x, discriminator(x))`.",
            )
        )
    if not isinstance(augment, keras.layers.Layer):
        raise TypeError(
            conversation(
                "`augment` must be a layer.",
                received=f"{augment!r} of type `{type(augment).__name__}`.",
                fix=f"write `{augment.__name__}()`."
                if isinstance(augment, type)
                else None,
            )
        )
