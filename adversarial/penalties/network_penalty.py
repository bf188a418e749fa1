"""The base class of penalties that differentiate a network."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import ops

from adversarial import backend
from adversarial.backend.graph import HoldsNetwork
from adversarial.backend.random_state import (
    global_random_state,
    is_random_state,
)
from adversarial.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
)
from adversarial.layers.positive import positive_whole
from adversarial.losses.seen import Seen, at_least_float32
from adversarial.penalties.checks import (
    check_floats,
    check_network,
    check_policy,
    chosen,
    known_names,
    names_of,
)
from adversarial.player import children_of
from adversarial.registry import snake_case

Tensor = Any
Samples = Any
"""A tensor, or a list or dict of tensors."""
Network = Callable[[Samples], Tensor]
COUPLED = (keras.layers.BatchNormalization, ConditionalBatchNormalization)
"""Layers through which a sample of a batch depends on the others."""
LIFT = 2.0**7
"""By how much slopes in float16 are lifted away from zero.

The derivatives of the slopes come down by as much. A usual loss scale, 2^15,
lifts them, too: the root of it leaves the same room to both.
"""


class NetworkPenalty(keras.layers.Layer, HoldsNetwork, abc.ABC):  # type: ignore[misc]
    """A layer that looks at the slopes of a network, and changes nothing.

    Call it on samples inside the base model: `R1(discriminator)(x)`. The
    result, one value per sample, is an output of the model under the name of
    the layer, which `losses.Penalty` makes a term of a player's loss.

    A subclass says in `reads` what it is called on, and in `penalty` what it
    computes. Register it with Keras to save models that use it.

    Facts:
        The network is called as it is at this evaluation, in the mode of the
        layer. What the call would change in its state (moving statistics,
        vectors of spectral normalisation) is dropped, and so are losses that
        its layers add; random numbers go on. In an `AdversarialModel` the
        layer's own state belongs to the player that owns the network: it
        moves once per step, with this player's own move.

        With `interval` above 1, the first step in training and every
        `interval`-th after it have `interval` times the penalty; the others
        have 0, and do no work for it. The count is saved. A player with
        `update_state=False` stays at its count. At inference the penalty is
        computed in full.

        Samples are differentiated, and squares added, in float32 at least.
        Where a layer of the network computes in float16, slopes are lifted by
        2^7 on their way through it.

        Saved with a model, the layer finds its network again. Remade from its
        own `get_config` alone, it has a copy of it.

    Attributes:
        reads: What the layer is to be called on: `"real"`, `"fake"`,
            `"both"` for a list of real and fake samples, or `"latent"`.

    Args:
        network: A built model, or layer.
        interval: Every how many steps the penalty is computed, above 0.
        output: The name or the number of the output that is differentiated;
            `None` if there is one only.
        **kwargs: Arguments of `keras.layers.Layer`, without `dtype`.

    Raises:
        TypeError: if the network is no layer; for samples that are no floats.
        ValueError: if it is not built or has no such output, if `interval` is
            not positive, or for a `dtype`; when it is called, for scores that
            are not one per sample or patch.
    """

    reads: ClassVar[str]

    def __init__(
        self,
        network: keras.Layer,
        *,
        interval: int = 1,
        output: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        check_policy(kind, kwargs)
        check_network(kind, network)
        kwargs = {"name": snake_case(kind), **kwargs}
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.network = network
        self.interval = positive_whole("interval", interval)
        self.output_choice = output
        names = known_names(network)
        if names is not None:
            chosen(kind, names, output, names)
        self._lift = LIFT if _somewhere(network, _in_float16) else 1.0
        if self.interval > 1:
            self.count = self.add_weight(
                shape=(),
                initializer="zeros",
                trainable=False,
                dtype="int",
                aggregation="only_first_replica",
                name="count",
            )
        self.built = True
        if _somewhere(network, lambda layer: isinstance(layer, COUPLED)):
            _warn_of_coupling(kind, network)

    @abc.abstractmethod
    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns the penalty, shape (batch,), in float32 at least.

        Variables of the layer may be assigned here.

        Args:
            samples: What the layer was called on, in float32 at least.
            network: Takes samples and returns the chosen output of the
                network, in float32 at least.
            training: Whether the layer runs in training mode.
        """

    def score(self, network: Network, samples: Samples) -> Tensor:
        """Returns the network's scores: one per sample, or per patch.

        Raises:
            ValueError: if its output is anything else.
        """
        seen = Seen(type(self).__name__, "", {"score": network(samples)})
        return seen.score("output", "score")

    def slopes(
        self, function: Callable[[Samples], Tensor], samples: Samples
    ) -> list[Tensor]:
        """Differentiates the sum of a tensor with respect to samples.

        Args:
            function: Makes a tensor of the samples.
            samples: One or more tensors.

        Returns:
            A tensor for each of the samples, of its shape.
        """

        def lifted(*flat: Tensor) -> Tensor:
            packed = keras.tree.pack_sequence_as(samples, flat)
            return self._lift * ops.sum(function(packed))

        flat = keras.tree.flatten(samples)
        found = backend.gradient(lifted, flat)
        return [
            ops.zeros_like(x) if g is None else g / self._lift
            for x, g in zip(flat, found, strict=True)
        ]

    def call(
        self, inputs: Samples, given: Any = None, training: bool = False
    ) -> Tensor:
        """Returns the penalty of every sample.

        Args:
            inputs: One or more tensors of floats.
            given: Further inputs of the network, which are not differentiated.
                They follow the samples, or join them if both are dicts.
            training: Whether to run in training mode.
        """
        check_floats(type(self).__name__, inputs)
        samples = keras.tree.map_structure(at_least_float32, inputs)
        values, kept = self._read()
        before = [values[id(v)][1] for v in kept]

        def look() -> list[Tensor]:
            mapping = list(values.values())
            with (
                keras.StatelessScope(
                    mapping, collect_losses=True, initialize_variables=False
                ) as scope,
                backend.exact_moments(),
            ):
                found = self.penalty(
                    samples, lambda x: self._ask(x, given), bool(training)
                )
            found = ops.cast(found, _dtype_of(samples))
            return [found, *(scope.get_current_value(v) for v in kept)]

        def rest() -> list[Tensor]:
            rows = ops.shape(keras.tree.flatten(samples)[0])[0]
            return [ops.zeros((rows,), _dtype_of(samples)), *before]

        often = not training or self.interval == 1
        found = look() if often else self._seldom(look, rest)
        for v, old, new in zip(kept, before, found[1:], strict=True):
            if new is not old:
                v.assign(new)
        return found[0]

    def _read(self) -> tuple[dict[int, Any], list[keras.Variable]]:
        """All that the network may read, and what of it may change."""
        count = [self.count] if self.interval > 1 else []
        rest = [*self.variables, global_random_state()]
        known = {id(v): v for v in rest}
        theirs = {id(v) for v in (*self.network.variables, *count)}
        kept = [
            v for i, v in known.items() if i not in theirs or is_random_state(v)
        ]
        return {i: (v, backend.live(v)) for i, v in known.items()}, kept

    def _seldom(
        self, look: Callable[[], list[Tensor]], rest: Callable[[], list[Tensor]]
    ) -> list[Tensor]:
        """Looks at the steps that are due, and counts the steps."""

        def due() -> list[Tensor]:
            found, *state = look()
            return [found * self.interval, *state]

        count = backend.read(self.count)
        found = backend.seldom(ops.equal(count, 0), due, rest)
        self.count.assign((count + 1) % self.interval)
        return found

    def _ask(self, samples: Samples, given: Any) -> Tensor:
        """Calls the network and picks the output that is differentiated."""
        if isinstance(samples, dict) and isinstance(given, dict):
            samples = {**samples, **given}
        elif given is not None:
            samples = keras.tree.flatten([samples, given])
        outputs = self.network(samples)
        flat = keras.tree.flatten(outputs)
        names = names_of(self.network, outputs)
        kind = type(self).__name__
        return at_least_float32(chosen(kind, flat, self.output_choice, names))

    def compute_output_spec(
        self, inputs: Samples, given: Any = None, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch,)."""
        check_floats(type(self).__name__, inputs)
        rows = keras.tree.flatten(inputs)[0].shape[0]
        return keras.KerasTensor((rows,), _dtype_of(inputs))

    def own_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments without `network`."""
        config = dict(super().get_config())
        del config["dtype"]
        own = {"interval": self.interval, "output": self.output_choice}
        return {**config, **own}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the network written out."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**self.own_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NetworkPenalty:
        """Remakes the layer; the network may be there as it is."""
        network = config["network"]
        if isinstance(network, dict):
            network = keras.saving.deserialize_keras_object(network)
        return cls(**{**config, "network": network})


def _dtype_of(samples: Samples) -> str:
    dtypes = (x.dtype for x in keras.tree.flatten(samples))
    return str(keras.backend.result_type(*dtypes, "float32"))


def _somewhere(
    layer: keras.Layer, holds: Callable[[keras.Layer], bool]
) -> bool:
    """Says whether something holds for a layer or one inside of it."""
    return holds(layer) or any(_somewhere(x, holds) for x in children_of(layer))


def _in_float16(layer: keras.Layer) -> bool:
    return bool(layer.compute_dtype == "float16")


def _warn_of_coupling(kind: str, network: keras.Layer) -> None:
    warnings.warn(
        f"`{kind}` takes the slope of each sample's own result, but batch "
        f"normalisation in '{network.name}' makes it depend on the other "
        "samples of the batch. Use a normalisation of each sample, such as "
        "`keras.layers.LayerNormalization`, or none.",
        stacklevel=4,
    )
