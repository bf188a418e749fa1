"""Weights held between two bounds, as those of the first Wasserstein critic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation, quoted
from adversarial.layers.positive import positive
from adversarial.player import children_of
from adversarial.registry import register

Tensor = Any
SUFFIX = "_constraint"
"""What attributes end in with which layers save constraints."""


@register("penalties")
class WeightClipping(keras.constraints.Constraint):  # type: ignore[misc]
    """Clips every weight to [-limit, limit] after each step of an optimizer.

    When you want it: for the critic of the first Wasserstein GAN, or to see
    what its successors cure; a gradient penalty nearly always does better.
    Give it to layers as `kernel_constraint` and `bias_constraint`, or to a
    whole network with `clip_weights`.

        w <- min(limit, max(-limit, w))

    Facts: the bound holds after the first step, at all points that a strategy
    visits by steps of the players' optimizers, and where a wrapper such as
    `Lookahead` places the players. No gradient flows through it.

    Args:
        limit: The largest absolute value of a weight, above 0.

    Raises:
        ValueError: if `limit` is not positive.

    Example:

    >>> import numpy
    >>> from adversarial.penalties import WeightClipping
    >>> WeightClipping(0.5)(numpy.array([-1.0, 0.25, 2.0])).numpy().tolist()
    [-0.5, 0.25, 0.5]

    References:
        - Arjovsky, Chintala, Bottou, Wasserstein GAN, ICML 2017,
          arXiv 1701.07875, algorithm 1.
    """

    def __init__(self, limit: float = 0.01) -> None:
        self.limit = positive("limit", limit)

    def __call__(self, w: Tensor) -> Tensor:
        """Returns the weights within the bounds."""
        # A plain number would be rounded to the precision of all Keras.
        limit = ops.convert_to_tensor(self.limit, w.dtype)
        return ops.clip(w, -limit, limit)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"limit": self.limit}


def clip_weights(
    network: keras.Layer, limit: float = 0.01, *, kernels_only: bool = False
) -> None:
    """Clips the trainable weights of a built network, now and from here on.

    Call it before `compile`: a step that is compiled already goes on without.
    The constraint is written into the layers, too, so that it is saved with
    the network and with every `AdversarialModel` that contains it. A
    constraint that is set on a variable alone would be lost there.

    Args:
        network: The network, or one layer.
        limit: The largest absolute value of a weight, above 0.
        kernels_only: Whether only weights with two axes or more are clipped.

    Raises:
        ValueError: if the network is not built or has no such weight, or if a
            weight has another constraint already, or is in a layer that does
            not save constraints; then nothing is changed.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import clip_weights
    >>> critic = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> clip_weights(critic, 0.01)
    >>> bool(numpy.abs(critic.get_weights()[0]).max() <= 0.01 + 1e-9)
    True
    """
    constraint = WeightClipping(limit)
    places = [
        place
        for place in _places(network)
        if len(place[0].shape) > 1 or not kernels_only
    ]
    _check_all_found(network, places, kernels_only)
    _check_free(places)
    before = [getattr(layer, name) for _, layer, name in places]
    for _, layer, name in places:
        setattr(layer, name, constraint)
    lost = _lost(network, places)
    if lost:
        for (_, layer, name), old in zip(places, before, strict=True):
            setattr(layer, name, old)
        raise _unsaved(lost)
    for variable, _, _ in places:
        variable.constraint = constraint
        variable.assign(constraint(variable))


Place = tuple[keras.Variable, keras.Layer, str]
"""A variable, the layer that made it, and where that keeps its constraint."""


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """A layer and all within it, each once."""
    found: dict[int, keras.Layer] = {}

    def visit(each: keras.Layer) -> None:
        if id(each) not in found:
            found[id(each)] = each
            for child in children_of(each):
                visit(child)

    visit(layer)
    yield from found.values()


def _places(network: keras.Layer) -> list[Place]:
    """Where each trainable variable's constraint is kept, if anywhere."""
    trainable = {id(v) for v in network.trainable_variables}
    found: dict[int, Place] = {}
    for layer in _layers(network):
        for variable in _own(layer):
            name = _attribute(layer, variable)
            if id(variable) in trainable and name:
                found[id(variable)] = (variable, layer, name)
    return list(found.values())


def _own(layer: keras.Layer) -> list[keras.Variable]:
    """The trainable variables of a layer that no layer in it has."""
    inside = {id(v) for c in children_of(layer) for v in c.variables}
    return [v for v in layer.trainable_variables if id(v) not in inside]


def _attribute(layer: keras.Layer, variable: keras.Variable) -> str | None:
    """Where a layer keeps the constraint of one of its variables.

    That of `kernel` in `kernel_constraint`, of `recurrent_kernel` in
    `recurrent_constraint`; a depthwise convolution has its own word.
    """
    own = str(variable.name)
    names = [own, own.removesuffix("_kernel")]
    if own == "kernel":
        names.append("depthwise")
    for name in names:
        if name + SUFFIX in vars(layer):
            return name + SUFFIX
    return None


def _check_all_found(
    network: keras.Layer, places: list[Place], kernels_only: bool
) -> None:
    found = {id(v) for v, _, _ in places}
    wanted = [
        v
        for v in network.trainable_variables
        if len(v.shape) > 1 or not kernels_only
    ]
    if not wanted:
        raise ValueError(
            conversation(
                "`clip_weights` needs a built network with weights to clip.",
                received=f"'{network.name}', without any.",
                fix="begin it with a `keras.Input`, or call it once.",
            )
        )
    missing = [v.path for v in wanted if id(v) not in found]
    if missing:
        raise _unsaved(missing)


def _check_free(places: list[Place]) -> None:
    taken = [
        v.path
        for v, _, _ in places
        if v.constraint is not None
        and not isinstance(v.constraint, WeightClipping)
    ]
    if taken:
        raise ValueError(
            conversation(
                "A weight has one constraint.",
                received=f"another one already on {quoted(taken)}.",
                fix="remove it, or leave the layer out.",
            )
        )


def _lost(network: keras.Layer, places: list[Place]) -> list[str]:
    """The variables whose constraint a layer's configuration leaves out."""
    lost = []
    for outer in _saved_as_one(network):
        within = {id(layer) for layer in _layers(outer)}
        inside = [v.path for v, layer, _ in places if id(layer) in within]
        if inside:
            config = keras.saving.serialize_keras_object(outer)
            lost += inside if _count(config) < len(inside) else []
    return lost


def _saved_as_one(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layers of which models write the configuration."""
    if not isinstance(layer, keras.Model):
        yield layer
        return
    for each in layer.layers:
        yield from _saved_as_one(each)


def _count(config: Any) -> int:
    """How many `WeightClipping` a configuration holds."""
    if isinstance(config, dict):
        mine = config.get("class_name") == WeightClipping.__name__
        return int(mine) + sum(map(_count, config.values()))
    if isinstance(config, list | tuple):
        return sum(map(_count, config))
    return 0


def _unsaved(paths: list[str]) -> ValueError:
    return ValueError(
        conversation(
            "`clip_weights` needs layers that save the constraints of their "
            "weights, or these would be lost with the model.",
            received=f"{quoted(paths)}, whose layer does not.",
            fix="give the layer `kernel_constraint=WeightClipping(limit)` when "
            "you make it, if it takes that; or clip the other layers one by "
            "one.",
        )
    )
