"""Base models of generative adversarial networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adversarial.arguments import checked_count, checked_number
from adversarial.errors import conversation, quoted
from adversarial.layers.latent import NormalLatent
from adversarial.penalties.network_penalty import NetworkPenalty

Tensor = Any


def build_gan(
    generator: keras.Model,
    discriminator: keras.Model,
    latent: keras.layers.Layer | int | Sequence[int] | None = None,
    name: str = "gan",
    *,
    penalties: Sequence[NetworkPenalty] = (),
) -> keras.Model:
    """Builds the base model of a GAN, with the outputs `yfake` and `yreal`.

    Args:
        generator: A built model from latents z to samples x.
        discriminator: A built model from samples x to scores y.
        latent: A layer that draws z with the batch size of x, or the shape of
            z, for standard normal latents. `None` is the shape of the
            generator's input. `False` leaves z as an input of the model.
        name: The name of the model.
        penalties: Layers such as `R1(discriminator)`. Each is called on what
            it reads, x, G(z), both or z, and is one more output, after the
            others and under the name of the layer. `losses.Penalty` makes it
            a term of a loss.

    Returns:
        A functional model x -> (yfake, yreal), with yfake = D(G(z)) and
        yreal = D(x); with `latent=False`, (z, x) -> (yfake, yreal).

    Raises:
        ValueError: if a model is not built, or is no graph of layers; if the
            discriminator has not as many inputs as the generator has outputs;
            if latents are to be drawn for a generator of several inputs; if
            two penalties have one name.
        TypeError: if a network is no model, or a penalty no
            `NetworkPenalty`.

    Example:

    >>> import keras
    >>> from adversarial.builders import build_gan
    >>> from adversarial.penalties import R1, R2
    >>> layer = keras.layers.Dense
    >>> generator = keras.Sequential([keras.Input((2,)), layer(3)])
    >>> discriminator = keras.Sequential([keras.Input((3,)), layer(1)])
    >>> penalties = [R1(discriminator), R2(discriminator)]
    >>> build_gan(generator, discriminator, penalties=penalties).output_names
    ['yfake', 'yreal', 'r1', 'r2']
    """
    _check_graphs(generator=generator, discriminator=discriminator)
    _check_penalties(penalties)
    _check_count("discriminator", discriminator, len(generator.outputs))
    reals = [_input_like(x) for x in discriminator.inputs]
    if latent is False:
        latents = [_input_like(z) for z in generator.inputs]
        inputs = latents + reals
    else:
        _check_count("generator", generator, 1)
        latents = [_latent_layer(latent, generator)(reals[0])]
        inputs = reals
    fake, real = generator(_single(latents)), _single(reals)
    scores = [discriminator(fake), discriminator(real)]
    outputs = named_outputs(scores, ["yfake", "yreal"])
    read = {
        "real": real,
        "fake": fake,
        "both": [real, fake],
        "latent": _single(latents),
    }
    outputs += [penalty(read[penalty.reads]) for penalty in penalties]
    return keras.Model(_single(inputs), outputs, name=name)


def build_bigan(
    generator: keras.Model,
    encoder: keras.Model,
    discriminator: keras.Model,
    latent: keras.layers.Layer | int | Sequence[int] | None = None,
    name: str = "bigan",
) -> keras.Model:
    """Builds the base model of a BiGAN, with the outputs `yfake` and `yreal`.

    Args:
        generator: A built model from latents z to samples x.
        encoder: A built model from samples x to latents z.
        discriminator: A built model from [z, x], in this order, to scores y.
        latent: As for `build_gan`.
        name: The name of the model.

    Returns:
        A functional model x -> (yfake, yreal), with yfake = D(z, G(z)) and
        yreal = D(E(x), x).

    Raises:
        ValueError: if a model is not built, or is no graph of layers; if the
            discriminator does not have two inputs, or the others not one.

    References:
        - Donahue, Kraehenbuehl, Darrell, Adversarial Feature Learning, ICLR
          2017, arXiv 1605.09782.
    """
    _check_graphs(
        generator=generator, encoder=encoder, discriminator=discriminator
    )
    _check_count("generator", generator, 1)
    _check_count("encoder", encoder, 1)
    _check_count("discriminator", discriminator, 2)
    x = _input_like(discriminator.inputs[1])
    z = _latent_layer(latent, generator)(x)
    yfake = discriminator([z, generator(z)])
    yreal = discriminator([encoder(x), x])
    outputs = named_outputs([yfake, yreal], ["yfake", "yreal"])
    return keras.Model(x, outputs, name=name)


def named_outputs(
    outputs: Sequence[Tensor] | Tensor, names: Sequence[str] | str
) -> list[Tensor]:
    """Passes symbolic tensors through, so that they are outputs by name.

    Args:
        outputs: One or more Keras tensors.
        names: As many names.

    Returns:
        A list of Keras tensors.

    Raises:
        ValueError: if there are not as many names as tensors.
    """
    outputs = [outputs] if not isinstance(outputs, list | tuple) else outputs
    names = [names] if isinstance(names, str) else names
    if len(names) != len(outputs):
        raise ValueError(
            conversation(
                "Every output needs a name.",
                expected=f"{len(outputs)} names.",
                received=f"{len(names)}: {quoted(names)}.",
            )
        )
    return [
        keras.layers.Identity(name=name)(output)
        for output, name in zip(outputs, names, strict=True)
    ]


def gan_targets(
    n: int, *, real: float = 1.0, fake: float = 0.0
) -> list[np.ndarray[Any, Any]]:
    """Returns the usual targets of a two-player GAN for n samples.

    Args:
        n: The number of samples.
        real: The target of what is to be taken for real.
        fake: The target of what is to be taken for fake; -1 for a hinge loss.

    Returns:
        The targets of [generator_yfake, generator_yreal, discriminator_yfake,
        discriminator_yreal] = [real, fake, fake, real], each of shape (n, 1),
        float32.

    Raises:
        ValueError: for a negative n, or targets that are not finite.
        TypeError: for what is no number.
    """
    n = checked_count("n", n)
    real, fake = checked_number("real", real), checked_number("fake", fake)
    values = (real, fake, fake, real)
    return [np.full((n, 1), value, "float32") for value in values]


def _latent_layer(latent: Any, generator: keras.Model) -> keras.layers.Layer:
    if isinstance(latent, keras.layers.Layer):
        return latent
    if latent is None:
        latent = generator.input_shape[1:]
    return NormalLatent(latent, name="latent")


def _input_like(x: Any) -> Tensor:
    return keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)


def _single(tensors: list[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _check_graphs(**models: keras.Model) -> None:
    for role, model in models.items():
        if not isinstance(model, keras.Model):
            raise TypeError(
                conversation(
                    f"The {role} must be a Keras model.",
                    received=f"{model!r} of type `{type(model).__name__}`.",
                    fix="wrap layers: `keras.Sequential([keras.Input(shape), "
                    "...])`.",
                )
            )
        if not model.built:
            raise ValueError(
                conversation(
                    f"The {role} must be built.",
                    received=f"'{model.name}', whose variables do not exist "
                    "yet.",
                    fix="begin it with `keras.Input(shape)`.",
                )
            )
        if getattr(model, "inputs", None) is None:
            raise ValueError(
                conversation(
                    f"The {role} must be a graph of layers, whose inputs are "
                    "known.",
                    expected="a functional or sequential model.",
                    received=f"'{model.name}' of type "
                    f"`{type(model).__name__}`.",
                    fix="wrap it: `x = keras.Input(shape)`, "
                    "`keras.Model(x, model(x))`.",
                )
            )


def _check_penalties(penalties: Any) -> None:
    if not isinstance(penalties, list | tuple):
        raise TypeError(
            conversation(
                "`penalties` must be a list of layers.",
                received=f"{penalties!r} of type `{type(penalties).__name__}`.",
                fix="write `penalties=[R1(discriminator)]`.",
            )
        )
    for penalty in penalties:
        if not isinstance(penalty, NetworkPenalty):
            raise TypeError(
                conversation(
                    "Every penalty must be a layer that looks at a network.",
                    expected="layers such as `R1(discriminator)`.",
                    received=f"{penalty!r} of type `{type(penalty).__name__}`.",
                    fix="connect other layers yourself, with `named_outputs` "
                    "and `keras.Model`.",
                )
            )
    names = [penalty.name for penalty in penalties]
    if len(set(names)) < len(names):
        raise ValueError(
            conversation(
                "Every penalty needs a name of its own.",
                received=f"{quoted(names)}.",
                fix='pass `name=...`: `R1(discriminator, name="r1_of_two")`.',
            )
        )


def _check_count(role: str, model: keras.Model, count: int) -> None:
    if len(model.inputs) != count:
        raise ValueError(
            conversation(
                f"The {role} does not have the right number of inputs.",
                expected=f"{count}.",
                received=f"'{model.name}' with {len(model.inputs)}.",
                fix="connect the networks yourself, with `named_outputs` and "
                "`keras.Model`.",
            )
        )
