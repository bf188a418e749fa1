import warnings

import keras
import numpy as np
import pytest

from adversarial import Player
from adversarial.assembly import assemble
from adversarial.player import Players, children_of, output_names


def bn(**kwargs):
    return keras.layers.BatchNormalization(**kwargs)


def bare():
    """A batch normalisation without trainable variables."""
    return bn(scale=False, center=False)


def dense(**kwargs):
    return keras.layers.Dense(2, **kwargs)


def sequential(*layers):
    return keras.Sequential([keras.Input((2,)), *layers])


def game(params, base=None, models=None):
    return assemble(base, models, params, None)


def chain(*layers):
    x = y = keras.Input((2,))
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


def statistics(*layers):
    return [v for layer in layers for v in layer.non_trainable_variables]


def assert_state(player, *layers):
    assert set(map(id, player.state)) == set(map(id, statistics(*layers)))
    assert len(player.state) == len(statistics(*layers))


def test_statistics_belong_to_the_player_whose_layer_they_are_in():
    a, b = sequential(dense(), bn()), sequential(dense(), bn())
    players = game({"a": a, "b": b}, chain(a, b))
    assert_state(players["a"], a)
    assert_state(players["b"], b)


def test_statistics_without_parameters_belong_where_their_model_belongs():
    a, b = sequential(dense(), bare()), sequential(bare(), dense())
    players = game({"a": a, "b": b}, chain(a, b))
    assert_state(players["a"], a)
    assert_state(players["b"], b)


def test_statistics_deep_inside_belong_to_the_nearest_owned_model():
    inner = sequential(bare())
    a, b = sequential(dense(), sequential(inner)), sequential(dense())
    players = game({"a": a, "b": b}, chain(a, b))
    assert_state(players["a"], inner)
    assert_state(players["b"])


def test_the_layers_of_one_nested_model_can_belong_to_different_players():
    mine, yours = bn(), bn()
    nested = sequential(mine, yours)
    players = game({"a": mine, "b": yours}, chain(nested))
    assert_state(players["a"], mine)
    assert_state(players["b"], yours)


def test_statistics_between_two_players_layers_belong_to_nobody():
    mine, between, yours = dense(), bare(), dense()
    players = game({"a": mine, "b": yours}, chain(mine, between, yours))
    assert_state(players["a"])
    assert_state(players["b"])


def test_a_layer_in_two_networks_has_its_statistics_once():
    a, b = sequential(dense(), bn()), sequential(dense(), bn())
    players = game({"a": a, "b": b}, models={"a": chain(a, b), "b": chain(b)})
    assert_state(players["a"], a)
    assert_state(players["b"], b)


def test_statistics_that_two_players_share_belong_to_the_first():
    shared = bare()
    a, b = sequential(dense(), shared), sequential(dense(), shared)
    players = game({"a": a, "b": b}, chain(a, b))
    assert_state(players["a"], shared)
    assert_state(players["b"])


def test_statistics_of_a_frozen_layer_belong_to_the_owner_of_its_weights():
    frozen = bn()
    base = chain(frozen, dense())
    frozen.trainable = False
    rest = base.trainable_variables
    players = game({"a": [frozen.gamma, frozen.beta], "b": rest}, base)
    assert_state(players["b"])
    assert [v.name for v in players["a"].state] == [
        "moving_mean",
        "moving_variance",
    ]


def test_statistics_of_a_layer_that_is_not_wholly_owned_belong_to_nobody():
    partly = bn()
    base = chain(partly)
    with pytest.warns(UserWarning, match="No player owns"):
        players = game({"a": [partly.gamma]}, base)
    assert_state(players["a"])


class Block(keras.layers.Layer):
    """A layer with a list and a dict of layers in it."""

    def __init__(self):
        super().__init__()
        self.several = [dense(), bare()]
        self.named = {"norm": bn()}

    def call(self, x):
        return self.named["norm"](self.several[1](self.several[0](x)))


def test_statistics_inside_a_users_layer_belong_to_its_owner():
    block, b = Block(), sequential(dense())
    players = game({"a": block, "b": b}, chain(block, b))
    assert len(players["a"].state) == 4
    assert_state(players["a"], block)


def test_the_vector_of_spectral_normalisation_belongs_to_its_layer():
    a, b = keras.layers.SpectralNormalization(dense()), dense()
    players = game({"a": a, "b": b}, chain(a, b))
    (vector,) = players["a"].state
    assert vector.name == "vector_u"
    assert_state(players["b"])


def test_random_state_belongs_to_nobody():
    a = sequential(dense(), keras.layers.Dropout(0.5), bn())
    players = game({"a": a}, a)
    assert [v.name for v in players["a"].state] == [
        "moving_mean",
        "moving_variance",
    ]


def test_the_layers_inside_a_layer_are_found_in_lists_and_dicts():
    block = Block()
    found = {id(layer) for layer in children_of(block)}
    inside = [*block.several, *block.named.values()]
    assert found == {id(layer) for layer in inside}


class Subclassed(keras.Model):
    """A model whose outputs are known only when it is called."""

    def __init__(self, pack):
        super().__init__()
        self.layer = dense()
        self.pack = pack

    def call(self, x):
        return self.pack(self.layer(x))


@pytest.mark.parametrize(
    ("pack", "names"),
    [
        (lambda y: y, ["output"]),
        (lambda y: (y, y), ["output_0", "output_1"]),
        (lambda y: {"fake": y, "real": y}, ["fake", "real"]),
        (lambda y: {"b": [y, y], "a": y}, ["a", "b_output_0", "b_output_1"]),
    ],
)
def test_a_subclassed_model_names_its_outputs_at_the_first_call(pack, names):
    network = Subclassed(pack)
    player = Player("p", network, [])
    assert player.output_names is None
    assert player.targets == []
    outputs = player.call(np.ones((3, 2), "float32"), training=True)
    assert player.output_names == names
    assert player.targets == [f"p_{name}" for name in names]
    assert len(outputs) == len(names)
    packed = keras.tree.pack_sequence_as(player.output_structure, outputs)
    keras.tree.assert_same_structure(packed, pack(0))


@pytest.mark.parametrize(
    ("pack", "names"),
    [
        (lambda ys: ys[0], ["first"]),
        (lambda ys: ys, ["first", "second"]),
        (lambda ys: {"z": ys[0], "a": ys[1]}, ["a", "z"]),
        (lambda ys: {"y": {"u": ys[0], "v": ys[1]}}, ["y_u", "y_v"]),
    ],
)
def test_a_functional_model_has_names_for_its_outputs(pack, names):
    x = keras.Input((2,))
    ys = [dense(name="first")(x), keras.layers.Dense(3, name="second")(x)]
    network = keras.Model(x, pack(ys))
    assert output_names(network) == names
    flat = Player("p", network, []).call(np.ones((1, 2)), training=False)
    sizes = {"first": 2, "second": 3}
    layers = keras.tree.flatten(pack(["first", "second"]))
    assert [y.shape[-1] for y in flat] == [sizes[name] for name in layers]


def test_the_outputs_of_a_layer_that_is_called_twice_are_numbered():
    x = keras.Input((2,))
    layer = dense(name="score")
    outputs = [layer(x), dense(name="other")(x), layer(-x), layer(2.0 * x)]
    names = ["score", "other", "score_1", "score_2"]
    assert output_names(keras.Model(x, outputs)) == names


def test_the_output_of_a_sequential_model_is_called_output():
    assert output_names(sequential(dense())) == ["output"]


class Twin(keras.layers.Layer):
    def call(self, x):
        return x, x


def test_a_sequential_model_of_two_outputs_names_them_when_called():
    player = Player("p", sequential(dense(), Twin()), [])
    assert player.output_names is None
    player.call(np.ones((1, 2)), training=False)
    assert player.output_names == ["output_0", "output_1"]


def test_a_network_is_told_whether_it_is_trained_if_it_asks():
    x = np.ones((4, 2), "float32")
    dropped = Player("p", sequential(keras.layers.Dropout(0.99, seed=0)), [])
    assert np.any(np.array(dropped.call(x, training=True)[0]) != x)
    assert np.all(np.array(dropped.call(x, training=False)[0]) == x)
    Player("p", Subclassed(lambda y: y), []).call(x, training=True)


def test_a_network_takes_its_inputs_out_of_a_larger_dict():
    inputs = {name: keras.Input((1,), name=name) for name in ("u", "v")}
    network = keras.Model(inputs, inputs["u"] - inputs["v"])
    x = {name: np.full((2, 1), float(i)) for i, name in enumerate("vwu")}
    (y,) = Player("p", network, []).call(x, training=False)
    np.testing.assert_array_equal(y, [[2.0], [2.0]])


def variables(count=3):
    layers = [dense(name=f"layer_{i}", use_bias=False) for i in range(count)]
    for layer in layers:
        layer.build((None, 2))
    return [layer.kernel for layer in layers]


def test_a_loss_without_any_gradient_is_an_error():
    player = Player("critic", sequential(dense()), variables(4))
    with pytest.raises(ValueError, match="does not depend on any") as error:
        player.check_gradients([None] * 4)
    message = str(error.value)
    assert "The loss of player 'critic'" in message
    assert "'layer_0/kernel', 'layer_1/kernel', 'layer_2/kernel', ..." in (
        message
    )
    assert "no gradient for all 4" in message
    assert "check `player_params`" in message


def test_a_loss_without_some_gradients_is_one_warning_that_names_them():
    player = Player("critic", sequential(dense()), variables())
    with pytest.warns(UserWarning) as caught:
        player.check_gradients([1.0, None, None])
        player.check_gradients([1.0, None, None])
    (warning,) = caught
    assert "'critic' does not depend on 'layer_1/kernel', 'layer_2/kernel'" in (
        str(warning.message)
    )


def test_a_loss_with_all_gradients_is_silent():
    player = Player("critic", sequential(dense()), variables())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        player.check_gradients([1.0, 2.0, 3.0])


def doubles(optimizer):
    layer = dense(use_bias=False, dtype="float64")
    layer.build((None, 2))
    player = Player("p", sequential(dense()), [layer.kernel])
    player.optimizer = optimizer
    optimizer.build([layer.kernel])
    return player, layer.kernel


@pytest.mark.parametrize("scale", [None, 0.1, 1000.0])
def test_the_step_is_that_of_the_true_gradient_at_any_loss_scale(scale):
    """A scale held in float32 would be off by 1e-8."""
    player, kernel = doubles(keras.optimizers.SGD(1.0, loss_scale_factor=scale))
    before, gradient = kernel.numpy(), np.array([[1.0, 2.0], [3.0, 4.0]])
    assert player.loss_scale() == scale
    player.move([keras.ops.convert_to_tensor(gradient)])
    step = before - kernel.numpy()
    np.testing.assert_allclose(step, gradient, rtol=0, atol=1e-14)


def test_a_dynamic_loss_scale_is_read_and_undone():
    inner = keras.optimizers.SGD(1.0)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=512.0)
    player, kernel = doubles(scaled)
    before = kernel.numpy()
    assert float(player.loss_scale()) == 512.0
    player.move([keras.ops.ones((2, 2), "float64")])
    np.testing.assert_allclose(before - kernel.numpy(), 1.0, atol=1e-14)


def test_a_variable_without_gradient_stays_and_others_move():
    first, second = variables(2)
    player = Player("p", sequential(dense()), [first, second])
    player.optimizer = keras.optimizers.SGD(1.0)
    player.optimizer.build([first, second])
    before = second.numpy()
    unmoved = first.numpy()
    player.move([None, keras.ops.ones((2, 2))])
    np.testing.assert_array_equal(first.numpy(), unmoved)
    np.testing.assert_allclose(second.numpy(), before - 1.0, atol=1e-6)


def test_players_are_a_mapping_in_order():
    network = sequential(dense())
    one, two = (Player(name, network, []) for name in "ba")
    players = Players([one, two])
    assert list(players) == ["b", "a"]
    assert players["a"] is two
    assert len(players) == 2
    assert players.networks == [network]
    assert players.targets == ["b_output", "a_output"]


def test_a_player_introduces_itself():
    network = sequential(dense())
    player = Player("critic", network, network.trainable_variables)
    assert repr(player) == (
        f"<Player 'critic': 2 variables, network '{network.name}'>"
    )
