"""What a game is exported with: the shapes and dtypes of its inputs."""

from __future__ import annotations

from typing import Any

import keras

from adversarial.errors import conversation, quoted
from adversarial.layers.latent import Latent
from adversarial.player import Players, children_of


def input_signature(players: Players) -> list[Any]:
    """Returns the inputs of all networks, for an export.

    Networks that name their inputs in a dict may name different ones: all
    together are wanted. Otherwise all take the same inputs.

    Args:
        players: The players.

    Raises:
        ValueError: if a network is no graph of layers, so that its inputs are
            not known.
    """
    structures = [_inputs(network) for network in players.networks]
    if all(isinstance(inputs, dict) for inputs in structures):
        merged: dict[str, Any] = {}
        for inputs in structures:
            merged |= inputs
        structures = [merged]
    return [keras.tree.map_structure(_spec, structures[0])]


_CANNOT_DRAW = {"onnx": "An ONNX file", "torch": "A program of PyTorch"}


def check_format(players: Players, format: str) -> None:
    """Refuses a format that cannot hold the networks.

    Args:
        players: The players.
        format: That of the export.

    Raises:
        ValueError: for latents that are drawn inside an ONNX file, which
            would be written, and could not be read, or inside a program of
            PyTorch, which could not be made.
    """
    latents = {layer.name for n in players.networks for layer in _latents_in(n)}
    if format in _CANNOT_DRAW and latents:
        raise ValueError(
            conversation(
                f"{_CANNOT_DRAW[format]} cannot draw latents.",
                received="a game that draws them in "
                f"{quoted(sorted(latents))}.",
                fix="export the generator, whose input they are: "
                f'`generator.export(path, format="{format}")`; or build the '
                "game with `latent=False`.",
            )
        )


def _latents_in(layer: keras.Layer) -> list[keras.Layer]:
    if isinstance(layer, Latent):
        return [layer]
    return [x for child in children_of(layer) for x in _latents_in(child)]


def _inputs(network: keras.Model) -> Any:
    inputs = getattr(network, "input", None)
    if inputs is None:
        raise ValueError(
            conversation(
                "An export must know the shapes of the inputs.",
                received=f"the network '{network.name}' of type "
                f"`{type(network).__name__}`, which is no graph of layers.",
                fix="pass `input_signature=[keras.InputSpec(shape=(None, ...), "
                'dtype="float32")]`.',
            )
        )
    return inputs


def _spec(x: Any) -> keras.InputSpec:
    shape = (None, *x.shape[1:])
    return keras.InputSpec(shape=shape, dtype=x.dtype, name=x.name)
