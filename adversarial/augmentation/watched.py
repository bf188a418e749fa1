"""A model that shows its scores to a layer inside it."""

from __future__ import annotations

from typing import Any

import keras

from adversarial.augmentation.augmented import new_inputs
from adversarial.builders.gan import named_outputs
from adversarial.errors import conversation, unknown
from adversarial.player import output_names


def watched(
    model: keras.Model, layer: keras.layers.Layer, real: str, fake: str | None
) -> keras.Model:
    """Passes the scores of a model through a layer that is also inside it.

    Args:
        model: A graph of layers, which holds the layer.
        layer: What observes, as `layer(scores, observe=True)`.
        real: The name of the output with the scores of real images.
        fake: The name of that with the scores of generated ones, or `None`.

    Returns:
        A model with the same inputs and outputs.

    Raises:
        ValueError: if the layer is not in the model, the model is no graph of
            layers, or there is no such output.
    """
    _check(model, layer)
    names = output_names(model) or []
    for argument, name in (("real", real), ("fake", fake)):
        if name is not None and name not in names:
            raise unknown(f"output in `watch({argument}=...)`", name, names)
    inputs = new_inputs(model)
    outputs = model(inputs)
    flat = dict(zip(names, keras.tree.flatten(outputs), strict=True))
    scores = flat[real] if fake is None else [flat[real], flat[fake]]
    flat[real] = layer(scores, observe=True)
    if isinstance(outputs, dict):
        flat_outputs = keras.tree.pack_sequence_as(outputs, [*flat.values()])
        return keras.Model(inputs, flat_outputs, name=model.name)
    outputs = named_outputs([*flat.values()], names)
    return keras.Model(inputs, outputs, name=model.name)


def _check(model: Any, layer: keras.layers.Layer) -> None:
    if getattr(model, "inputs", None) is None:
        raise ValueError(
            conversation(
                "What is watched must be a graph of layers.",
                expected="a functional or sequential model.",
                received=f"{model!r} of type `{type(model).__name__}`.",
                fix="call the layer on the scores yourself: "
                "`layer(scores, observe=True)`.",
            )
        )
    inside = {id(v) for v in model.variables}
    if not all(id(v) in inside for v in layer.variables):
        raise ValueError(
            conversation(
                f"'{layer.name}' must be inside the model that it watches.",
                received=f"'{model.name}', which does not hold it.",
                fix="build the model with `augmented(discriminator, layer)`.",
            )
        )
