import json

import keras
import numpy as np
import pytest
from engines import array
from keras import ops

from adversarial.backend.graph import (
    HoldsNetwork,
    is_functional,
    record,
    replay,
)
from adversarial.layers import NormalLatent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 2)).astype("float32")


def dense(units=2, **kwargs):
    return keras.layers.Dense(units, **kwargs)


def sequential(*layers, **kwargs):
    return keras.Sequential([keras.Input((2,)), *layers], **kwargs)


def functional(function, *shapes, **kwargs):
    """A model of a function of one or more symbolic inputs."""
    inputs = [keras.Input(shape) for shape in shapes or [(2,)]]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    return keras.Model(inputs, function(inputs), **kwargs)


def remade(*networks):
    """Networks through JSON and back, with the same weights."""
    data = json.loads(json.dumps(record(list(networks))))
    results = replay(data)
    for old, new in zip(networks, results, strict=True):
        assert shapes(new) == shapes(old)
        new.set_weights(old.get_weights())
    return results


def shapes(network):
    return [tuple(v.shape) for v in network.variables]


def assert_same(old, new, x=X):
    want, got = old(x), new(x)
    keras.tree.assert_same_structure(want, got)
    for a, b in zip(
        keras.tree.flatten(want), keras.tree.flatten(got), strict=True
    ):
        a, b = map(keras.ops.convert_to_numpy, (a, b))
        np.testing.assert_array_equal(a, b)


def test_a_functional_network_is_remade_with_names_and_order_of_layers():
    left, right = dense(name="left"), dense(3, name="right")
    join = keras.layers.Concatenate(name="join")
    after = dense(1, name="after")
    network = functional(lambda x: after(join([right(left(x)), left(x)])))
    (new,) = remade(network)
    assert new.name == network.name
    names = [layer.name for layer in new.layers[1:]]
    assert names == [layer.name for layer in network.layers[1:]]
    assert new.output_names == network.output_names
    assert_same(network, new)


def test_parallel_branches_keep_their_order():
    """Weights are saved in the order of the layers."""
    layers = [dense(name=name) for name in ("z", "m", "a")]
    network = functional(lambda x: [layer(x) for layer in layers])
    (new,) = remade(network)
    for model in (network, new):
        assert [x.name for x in model.layers[1:]] == ["z", "m", "a"]
    assert new.output_names == ["z", "m", "a"]


def test_a_network_that_is_listed_twice_is_one_network():
    network = sequential(dense())
    one, two = remade(network, network)
    assert one is two


def test_a_layer_in_two_networks_stays_one_layer():
    shared = dense(name="shared")
    one = functional(lambda x: dense(name="first")(shared(x)))
    two = functional(lambda x: dense(name="second")(shared(x)))
    new_one, new_two = remade(one, two)
    assert new_one.get_layer("shared") is new_two.get_layer("shared")
    assert_same(one, new_one)
    assert_same(two, new_two)


def test_a_model_inside_another_and_alone_stays_one_model():
    critic = sequential(dense(name="inner"), name="critic")
    generator = sequential(dense(name="g"), name="generator")
    whole = functional(lambda x: critic(generator(x)))
    new_whole, new_critic, new_generator = remade(whole, critic, generator)
    assert new_whole.get_layer("critic") is new_critic
    assert new_whole.get_layer("generator") is new_generator
    assert_same(whole, new_whole)


def test_sharing_is_kept_at_any_depth():
    shared = dense(name="shared")
    deep = sequential(functional(shared, name="inner"), name="middle")
    outer = functional(lambda x: deep(x) + 1.0)
    flat = functional(lambda x: shared(x) * 2.0)
    new_outer, new_flat = remade(outer, flat)
    inner = new_outer.get_layer("middle").get_layer("inner")
    assert inner.get_layer("shared") is new_flat.get_layer("shared")
    assert_same(outer, new_outer)
    assert_same(flat, new_flat)


def test_a_layer_that_is_called_twice_stays_one_layer():
    layer = dense(name="again")
    network = functional(lambda x: layer(layer(x)) + layer(x))
    (new,) = remade(network)
    assert len(new.weights) == 2
    assert_same(network, new)


def test_layers_of_one_name_in_different_networks_stay_apart():
    one, two = (functional(dense(name="d"), name="same") for _ in range(2))
    new_one, new_two = remade(one, two)
    assert new_one.get_layer("d") is not new_two.get_layer("d")
    assert_same(one, new_one)
    assert_same(two, new_two)


OPS = {
    "arithmetic": lambda x: (2.0 - x) / (1.0 + x * x),
    "constant array": lambda x: ops.matmul(x, np.eye(2, dtype="float32")),
    "slice": lambda x: x[:, :1],
    "index and new axis": lambda x: x[:, None, 1],
    "keyword": lambda x: ops.sum(x, axis=-1, keepdims=True),
    "list": lambda x: ops.concatenate([x, ops.zeros_like(x), x], axis=-1),
    "several results": lambda x: ops.split(x, 2, axis=1),
    "numpy number": lambda x: ops.maximum(x, np.float32(0.25)),
    "dtype": lambda x: ops.cast(x, "float16"),
    "where": lambda x: ops.where(x > 0, x, -1.0),
}


@pytest.mark.parametrize("name", OPS)
def test_operations_between_layers_are_kept(name):
    network = functional(OPS[name])
    (new,) = remade(network)
    assert_same(network, new)


class Split(keras.layers.Layer):
    """A layer of one input and two outputs, in a dict."""

    def call(self, x):
        return {"low": x[:, :1], "high": x[:, 1:]}


@keras.saving.register_keras_serializable(package="test_graph")
class Scale(keras.layers.Layer):
    """A registered layer with an argument and two tensors to call it on."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, x_shape, other_shape=None):
        self.bias = self.add_weight(shape=(x_shape[-1],))

    def call(self, x, other=None, sign=1.0):
        return (
            sign * self.factor * x + self.bias + (0 if other is None else other)
        )

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_layers_of_several_outputs_are_kept():
    split = keras.saving.register_keras_serializable("test_graph")(Split)()
    network = functional(lambda x: {"a": split(x)["high"], "b": x})
    (new,) = remade(network)
    assert_same(network, new)


def test_registered_layers_with_arguments_are_kept():
    scale = Scale(3.0)
    network = functional(lambda x: scale(x, other=x + 1.0, sign=-1.0))
    (new,) = remade(network)
    assert new.get_layer(scale.name).factor == 3.0
    assert_same(network, new)


def test_dicts_and_lists_of_inputs_and_outputs_are_kept():
    u = keras.Input((2,), name="u")
    v = keras.Input((2,), name="v")
    outputs = {"sum": u + v, "each": [dense()(u), [v]]}
    network = keras.Model({"v": v, "u": u}, outputs)
    (new,) = remade(network)
    assert [x.name for x in new.inputs] == [x.name for x in network.inputs]
    assert_same(network, new, {"u": X, "v": 2 * X})
    listed = keras.Model([u, v], [u - v])
    (new,) = remade(listed)
    assert_same(listed, new, [X, 2 * X])


def test_an_input_that_is_an_output_is_kept():
    network = functional(lambda x: [x, dense()(x)])
    (new,) = remade(network)
    assert_same(network, new)


def test_the_dtype_and_batch_size_of_an_input_are_kept():
    x = keras.Input(batch_shape=(3, None), dtype="int32", name="words")
    network = keras.Model(x, keras.layers.Embedding(5, 2)(x))
    (new,) = remade(network)
    (got,) = new.inputs
    assert (got.shape, got.dtype, got.name) == ((3, None), "int32", "words")
    assert_same(network, new, np.array([[0, 1], [2, 3], [4, 0]]))


def test_a_sequential_model_stays_sequential():
    model = sequential(dense(name="a"), keras.layers.ReLU(), name="body")
    (new,) = remade(model)
    assert type(new) is keras.Sequential
    assert new.name == "body"
    assert [x.name for x in new.layers] == [x.name for x in model.layers]
    assert_same(model, new)


def test_a_model_that_was_built_by_a_call_is_kept():
    model = keras.Sequential([dense(name="a"), dense(1, name="b")])
    model(X)
    (new,) = remade(model)
    assert new.built
    assert_same(model, new)


@pytest.mark.parametrize("kind", ["layer", "sequential", "functional"])
def test_what_is_frozen_stays_frozen(kind):
    layer = dense(name="frozen")
    inner = {
        "layer": layer,
        "sequential": sequential(layer, dense(), name="frozen"),
        "functional": functional(lambda x: layer(dense()(x)), name="frozen"),
    }[kind]
    inner.trainable = False
    network = sequential(inner, dense(name="free"))
    (new,) = remade(network)
    assert not new.get_layer("frozen").trainable
    free = new.get_layer("free").variables
    assert [id(v) for v in new.trainable_variables] == [id(v) for v in free]


def test_a_layer_frozen_alone_leaves_its_model_trainable():
    frozen = dense(name="frozen")
    frozen.trainable = False
    for network in (
        sequential(frozen, dense(name="free")),
        functional(lambda x: dense(name="free")(frozen(x))),
    ):
        (new,) = remade(network)
        assert new.trainable
        assert not new.get_layer("frozen").trainable
        assert new.get_layer("free").trainable


def test_a_single_free_layer_in_a_frozen_model_stays_as_it_was():
    model = sequential(dense(name="a"), dense(name="b"))
    model.trainable = False
    model.get_layer("b").trainable = True
    (new,) = remade(model)
    assert not new.trainable
    assert not new.get_layer("a").trainable
    assert new.get_layer("b").trainable


@keras.saving.register_keras_serializable(package="test_graph")
class Network(keras.Model):
    """A subclassed model."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.layer = keras.layers.Dense(units)

    def call(self, x):
        return self.layer(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_subclassed_model_is_remade_from_its_config():
    network = Network(3)
    network(X)
    (new,) = remade(network)
    assert type(new) is Network
    assert new.built
    assert_same(network, new)


def test_a_subclassed_model_in_two_networks_stays_one_model():
    inner = Network(2, name="inner")
    one, two = functional(inner), functional(lambda x: inner(x) + 1.0)
    new_one, new_two = remade(one, two)
    assert new_one.get_layer("inner") is new_two.get_layer("inner")
    assert_same(two, new_two)


@keras.saving.register_keras_serializable(package="test_graph")
class Graph(keras.Model):
    """A functional model of a class of its own."""

    def twice(self, x):
        return 2 * self(x)


def test_a_functional_model_keeps_its_class():
    x = keras.Input((2,))
    network = Graph(x, dense()(x), name="graph")
    assert is_functional(network)
    (new,) = remade(network)
    assert type(new) is Graph
    np.testing.assert_array_equal(array(new.twice(X)), 2 * array(network(X)))


@keras.saving.register_keras_serializable(package="test_graph")
class Stack(keras.Sequential):
    """A sequential model of a class of its own."""


def test_a_sequential_model_keeps_its_class():
    network = Stack([keras.Input((2,)), dense()])
    (new,) = remade(network)
    assert type(new) is Stack
    assert_same(network, new)


def test_a_layer_with_a_mask_still_masks():
    x = keras.Input((4,), dtype="int32")
    y = keras.layers.Embedding(5, 2, mask_zero=True)(x)
    network = keras.Model(x, keras.layers.GlobalAveragePooling1D()(y))
    (new,) = remade(network)
    assert_same(network, new, np.array([[1, 2, 0, 0], [3, 0, 0, 0]]))


def test_random_layers_keep_their_seeds():
    network = functional(
        lambda x: keras.layers.Dropout(0.5, seed=3)(NormalLatent(4, seed=2)(x))
    )
    (new,) = remade(network)
    np.testing.assert_array_equal(
        network(X, training=True), new(X, training=True)
    )


def test_a_chosen_training_mode_is_kept():
    drop = keras.layers.Dropout(0.5, seed=3)
    network = functional(lambda x: drop(x, training=True))
    (new,) = remade(network)
    assert_same(network, new)
    assert np.any(np.array(new(X)) != X)


def test_mixed_precision_is_kept_layer_by_layer():
    network = functional(lambda x: dense(dtype="mixed_float16", name="h")(x))
    (new,) = remade(network)
    assert new.get_layer("h").compute_dtype == "float16"
    assert_same(network, new)


@keras.saving.register_keras_serializable(package="test_graph")
class Around(keras.layers.Layer):
    """A layer that holds another."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}

    @classmethod
    def from_config(cls, config):
        inner = keras.saving.deserialize_keras_object(config.pop("inner"))
        return cls(inner, **config)


def test_a_layer_that_holds_a_layer_is_kept():
    network = functional(Around(dense()))
    (new,) = remade(network)
    assert_same(network, new)


def test_sharing_that_cannot_be_kept_is_refused():
    shared = dense(name="shared")
    one, two = functional(Around(shared, name="around")), functional(shared)
    with pytest.raises(ValueError, match="inside a layer or model") as error:
        record([one, two])
    assert "'around'" in str(error.value)
    assert "'shared'" in str(error.value)


@keras.saving.register_keras_serializable(package=__name__)
class Watcher(keras.layers.Layer, HoldsNetwork):
    """A layer that holds a network which is used elsewhere, too."""

    def __init__(self, network, power, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.power = power
        self.count = self.add_weight(shape=(), name="count")
        self.built = True

    def call(self, x):
        return self.network(x) ** self.power + self.count

    def own_config(self):
        return {"name": self.name, "power": self.power}

    def get_config(self):
        return {**self.own_config(), "network": self.network.get_config()}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.mark.parametrize(
    "network",
    [
        lambda layer: sequential(layer, name="inner"),
        lambda layer: functional(layer, name="inner"),
        lambda layer: layer,
    ],
    ids=["sequential", "functional", "layer"],
)
def test_a_layer_that_refers_to_a_network_goes_on_to_do_so(network):
    layer = dense(name="inner")
    layer.build((None, 2))
    inner = network(layer)
    watcher = Watcher(inner, 3, name="watcher")
    outer = functional(lambda x: [inner(x), watcher(x)])
    alone = functional(lambda x: watcher(x + 1.0))
    new_outer, new_alone = remade(outer, alone)
    new = new_outer.get_layer("watcher")
    assert type(new) is Watcher and new.power == 3
    assert new.network is new_outer.get_layer("inner")
    assert new_alone.get_layer("watcher") is new
    assert_same(outer, new_outer)
    assert_same(alone, new_alone)


def test_the_network_is_not_written_twice():
    inner = sequential(dense(name="inside"), name="inner")
    network = functional(lambda x: [inner(x), Watcher(inner, 2)(x)])
    text = json.dumps(record([network]))
    assert text.count('"inside"') == 1


class Unregistered(Watcher):
    """A class that Keras does not know."""


def test_a_class_that_is_not_registered_is_refused_when_it_is_remade():
    inner = sequential(dense())
    network = functional(lambda x: [inner(x), Unregistered(inner, 2)(x)])
    data = record([network])
    with pytest.raises(ValueError, match="must be registered") as error:
        replay(data)
    assert "Unregistered" in str(error.value)


def test_what_a_holder_shares_with_a_closed_layer_is_refused():
    shared = dense(name="shared")
    shared.build((None, 2))
    one = functional(Around(shared, name="around"))
    two = functional(Watcher(shared, 2))
    with pytest.raises(ValueError, match="inside a layer or model"):
        record([one, two])
