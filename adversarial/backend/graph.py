"""Networks as data: every layer once, the graphs between them by reference.

Keras saves each functional model with copies of its layers, so that models
which share a layer no longer do after loading. Here all networks of a game
are recorded together: each distinct layer is written once, and functional and
sequential models, nested ones too, are written as graphs over those layers.

Private parts of Keras: a functional model keeps its graph in
`Functional._nodes_by_depth`, a dict from depth to nodes; a node has
`operation`, `is_input`, `arguments.args`, `arguments.kwargs` and `outputs`.
`functional_like_constructor` says whether a subclass of it can be remade from
inputs and outputs.
"""

import abc
import functools
from typing import Any

import keras
from keras.src.models.functional import (
    Functional,
    functional_like_constructor,
)

from adversarial.errors import conversation

Record = dict[str, Any]


@keras.saving.register_keras_serializable(package="adversarial")
class TensorRef:
    """Stands for the number-th tensor of a graph in its record."""

    def __init__(self, number: int) -> None:
        self.number = number

    def get_config(self) -> Record:
        """Returns the constructor's arguments."""
        return {"number": self.number}

    @classmethod
    def from_config(cls, config: Record) -> "TensorRef":
        """Remakes the reference."""
        return cls(**config)


class HoldsNetwork(abc.ABC):
    """A layer that holds a network which the game uses elsewhere, too.

    It is recorded by a reference to the network, so that the two stay one. The
    class must be registered with Keras.

    Attributes:
        network: The network.
    """

    network: keras.Layer

    @abc.abstractmethod
    def own_config(self) -> Record:
        """Returns the constructor's arguments without `network`."""

    @classmethod
    @abc.abstractmethod
    def from_config(cls, config: Record) -> Any:
        """Remakes the layer from its own config and `network`."""


@functools.cache
def _reference(number: int) -> TensorRef:
    """The one reference of a number: Keras tells objects apart by identity.

    A reference that is thrown away would lend its identity to a later one.
    """
    return TensorRef(number)


def record(networks: list[keras.Model]) -> Record:
    """Writes networks as JSON-able data, shared layers once.

    Tuples among the arguments and outputs come back as lists.

    Raises:
        ValueError: if a layer is shared between the networks and the inside of
            a layer or model that writes its own config, and is no
            `HoldsNetwork`.
    """
    return _Recorder().networks(networks)


def replay(data: Record) -> list[keras.Model]:
    """Builds the networks that `record` wrote, with the same sharing."""
    objects: list[Any] = []
    for entry in data["objects"]:
        objects.append(_REPLAY[entry["kind"]](entry, objects))
    return [objects[number] for number in data["networks"]]


def is_functional(network: keras.Model) -> bool:
    """Says whether a network is a graph of layers that can be remade."""
    return isinstance(network, Functional) and functional_like_constructor(
        type(network)
    )


class _Recorder:
    def __init__(self) -> None:
        self.objects: list[Record] = []
        self.numbers: dict[int, int] = {}
        self.alive: list[Any] = []
        self.holders: dict[int, str] = {}

    def networks(self, networks: list[keras.Model]) -> Record:
        numbers = [self.number(network) for network in networks]
        return {"objects": self.objects, "networks": numbers}

    def number(self, thing: Any) -> int:
        if id(thing) not in self.numbers:
            if type(thing) is keras.Sequential and thing.built:
                entry = self.sequential(thing)
            elif is_functional(thing):
                entry = self.functional(thing)
            elif isinstance(thing, HoldsNetwork):
                entry = self.holder(thing)
            else:
                self.claim(thing)
                config = keras.saving.serialize_keras_object(thing)
                entry = {"kind": "layer", "config": config}
            self.numbers[id(thing)] = len(self.objects)
            self.objects.append(entry)
            self.alive.append(thing)
        return self.numbers[id(thing)]

    def claim(self, thing: Any) -> None:
        """Notes whose the variables are, and that they are in one place."""
        for variable in getattr(thing, "variables", ()):
            holder = self.holders.setdefault(id(variable), thing.name)
            if holder != thing.name:
                raise ValueError(
                    conversation(
                        "A layer inside a layer or model that is not a graph "
                        "of layers must not be used outside of it: saving "
                        "would part them.",
                        received=f"'{variable.path}', which is used by "
                        f"'{holder}' and by '{thing.name}'.",
                        fix="write the model as `keras.Model(inputs, "
                        "outputs)`, or save only its weights.",
                    )
                )

    def holder(self, layer: HoldsNetwork) -> Record:
        config = keras.saving.serialize_keras_object(layer.own_config())
        return {
            "kind": "holder",
            "class": keras.saving.get_registered_name(type(layer)),
            "config": config,
            "network": self.number(layer.network),
        }

    def sequential(self, model: keras.Sequential) -> Record:
        first = model.inputs[0]
        return {
            "kind": "sequential",
            "name": model.name,
            "trainable": model.trainable,
            "input": {
                "batch_shape": list(first.shape),
                "dtype": first.dtype,
                "name": first.name,
            },
            "layers": [self.number(layer) for layer in model.layers],
        }

    def functional(self, model: keras.Model) -> Record:
        seen: dict[int, int] = {}

        def reference(x: Any) -> Any:
            if isinstance(x, keras.KerasTensor):
                return _reference(seen.setdefault(id(x), len(seen)))
            return x

        def written(structure: Any) -> Any:
            structure = keras.tree.map_structure(reference, structure)
            return keras.saving.serialize_keras_object(structure)

        # On PyTorch, Keras maps a dict in the order in which it was written,
        # and lists the inputs in that of their names.
        for x in model.inputs:
            reference(x)
        inputs = written(model.input)
        sources = [
            {
                "batch_shape": list(x.shape),
                "dtype": x.dtype,
                "name": x.name,
                "sparse": x.sparse,
            }
            for x in model.inputs
        ]
        calls = []
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                calls.append(
                    {
                        "object": self.number(node.operation),
                        "args": written(node.arguments.args),
                        "kwargs": written(node.arguments.kwargs),
                        "outputs": [reference(x).number for x in node.outputs],
                    }
                )
        return {
            "kind": "functional",
            "class": keras.saving.get_registered_name(type(model)),
            "name": model.name,
            "trainable": model.trainable,
            "sources": sources,
            "inputs": inputs,
            "calls": calls,
            "outputs": written(model.output),
        }


def _layer(entry: Record, objects: list[Any]) -> Any:
    return keras.saving.deserialize_keras_object(entry["config"])


def _holder(entry: Record, objects: list[Any]) -> Any:
    cls = keras.saving.get_registered_object(entry["class"])
    if cls is None:
        raise ValueError(
            conversation(
                "The class of a layer that holds a network must be registered.",
                received=f"'{entry['class']}'.",
                fix="decorate it with "
                "`@keras.saving.register_keras_serializable()`.",
            )
        )
    config = keras.saving.deserialize_keras_object(entry["config"])
    return cls.from_config({**config, "network": objects[entry["network"]]})


def _sequential(entry: Record, objects: list[Any]) -> keras.Sequential:
    layers = [keras.Input(**_source(entry["input"]))]
    layers += [objects[number] for number in entry["layers"]]
    return keras.Sequential(
        layers, name=entry["name"], trainable=entry["trainable"]
    )


def _functional(entry: Record, objects: list[Any]) -> keras.Model:
    tensors: dict[int, Any] = {}

    def resolved(data: Any) -> Any:
        structure = keras.saving.deserialize_keras_object(data)
        return keras.tree.map_structure(
            lambda x: tensors[x.number] if isinstance(x, TensorRef) else x,
            structure,
        )

    for number, source in enumerate(entry["sources"]):
        tensors[number] = keras.Input(**_source(source))
    for call in entry["calls"]:
        args = resolved(call["args"])
        results = objects[call["object"]](*args, **resolved(call["kwargs"]))
        tensors.update(
            zip(call["outputs"], keras.tree.flatten(results), strict=True)
        )
    cls = keras.saving.get_registered_object(entry["class"]) or keras.Model
    return cls(
        resolved(entry["inputs"]),
        resolved(entry["outputs"]),
        name=entry["name"],
        trainable=entry["trainable"],
    )


def _source(config: Record) -> Record:
    return {**config, "batch_shape": tuple(config["batch_shape"])}


_REPLAY = {
    "layer": _layer,
    "holder": _holder,
    "sequential": _sequential,
    "functional": _functional,
}
