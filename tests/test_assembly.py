import re
import warnings

import keras
import pytest

from adversarial import AdversarialModel
from adversarial.assembly import assemble


def dense(name="dense", units=1):
    return keras.layers.Dense(units, name=name)


def network(*layers, outputs=None):
    """A functional model that applies each layer to the same input."""
    x = keras.Input((2,))
    ys = [layer(x) for layer in layers]
    return keras.Model(x, outputs(ys) if outputs else ys)


@pytest.fixture(scope="module")
def parts():
    """Two layers and the base model of both."""
    first, second = dense("first"), dense("second")
    return first, second, network(first, second)


def refused(error, match, **arguments):
    arguments = {
        "base_model": None,
        "player_models": None,
        "player_params": None,
        "player_names": None,
        **arguments,
    }
    with pytest.raises(error, match=re.escape(match)) as caught:
        assemble(**arguments)
    return str(caught.value)


def assembled(base_model=None, models=None, params=None, names=None):
    return assemble(base_model, models, params, names)


def test_a_base_model_is_the_network_of_every_player(parts):
    first, second, base = parts
    players = assembled(base, params=[first, [*second.weights]])
    assert list(players) == ["player_0", "player_1"]
    assert all(p.network is base for p in players.values())
    assert players["player_0"].variables == tuple(first.weights)
    assert players["player_1"].variables == tuple(second.weights)
    assert players.networks == [base]
    assert players.targets == [
        "player_0_first",
        "player_0_second",
        "player_1_first",
        "player_1_second",
    ]


def test_every_player_can_have_a_network_of_its_own():
    first, second = dense(), dense()
    one, two = network(first), network(second)
    players = assembled(models=[one, two], params=[first, second])
    assert [p.network for p in players.values()] == [one, two]


@pytest.mark.parametrize("by", ["params", "models", "both"])
def test_players_take_their_names_from_the_keys_of_a_dict(by):
    first, second = dense(), dense()
    models, params = [network(first), network(second)], [first, second]
    if by in ("models", "both"):
        models = dict(zip("gd", models, strict=True))
    if by in ("params", "both"):
        params = dict(zip("gd", params, strict=True))
    if by == "both":
        params = {"d": params["d"], "g": params["g"]}
    players = assembled(models=models, params=params)
    assert list(players) == ["g", "d"]
    assert players["d"].variables == tuple(second.weights)


def test_names_can_pick_another_order_than_the_dict(parts):
    first, second, base = parts
    params = {"a": first, "b": second}
    players = assembled(base, params=params, names=["b", "a"])
    assert list(players) == ["b", "a"]
    assert players["a"].variables == tuple(first.weights)


def test_a_variable_that_is_listed_twice_is_owned_once(parts):
    first, second, base = parts
    params = [[*first.weights, *first.weights], second]
    players = assembled(base, params=params)
    assert players["player_0"].variables == tuple(first.weights)


def test_neither_base_model_nor_player_models_is_refused(parts):
    message = refused(
        ValueError,
        "Exactly one of `base_model` and `player_models`",
        player_params=[parts[0]],
    )
    assert "Received: neither" in message


def test_both_base_model_and_player_models_are_refused(parts):
    first, _, base = parts
    message = refused(
        ValueError,
        "Exactly one of `base_model` and `player_models`",
        base_model=base,
        player_models=[base],
        player_params=[first],
    )
    assert "Received: both" in message


def test_missing_params_are_refused(parts):
    message = refused(
        ValueError, "`player_params` must say", base_model=parts[2]
    )
    assert "Fix: pass `player_params=[generator, discriminator]`" in message


def test_params_that_do_not_match_the_names_in_number_are_refused(parts):
    first, _, base = parts
    message = refused(
        ValueError,
        "`player_params` must hold one entry per player",
        base_model=base,
        player_params=[first],
        player_names=["g", "d"],
    )
    assert "Expected: 2, for players 'g', 'd'" in message
    assert "Received: 1" in message


def test_models_that_do_not_match_the_params_in_number_are_refused(parts):
    first, second, base = parts
    message = refused(
        ValueError,
        "`player_models` must hold one entry per player",
        player_models=[base],
        player_params=[first, second],
    )
    assert "Expected: 2, for players 'player_0', 'player_1'" in message


def test_a_dict_that_lacks_a_player_is_refused(parts):
    first, _, base = parts
    message = refused(
        ValueError,
        "`player_params` must hold one entry per player",
        base_model=base,
        player_params={"g": first},
        player_names=["g", "d"],
    )
    assert "Expected: 'g', 'd'" in message
    assert "Received: 'g'" in message


def test_a_dict_with_an_unknown_player_gets_the_nearest_spelling(parts):
    first, second, base = parts
    message = refused(
        ValueError,
        "Unknown player in `player_params`: 'critc'",
        base_model=base,
        player_params={"gen": first, "critc": second},
        player_names=["gen", "critic"],
    )
    assert "did you mean 'critic'?" in message


@pytest.mark.parametrize("argument", ["player_params", "player_models"])
@pytest.mark.parametrize("kind", ["layer", "model", "number", "string"])
def test_a_lone_thing_in_place_of_a_list_is_refused(parts, argument, kind):
    first, second, base = parts
    thing = {"layer": first, "model": base, "number": 1, "string": "g"}[kind]
    arguments = {
        "player_models": [base, base],
        "player_params": [first, second],
        argument: thing,
    }
    refused(TypeError, f"`{argument}` must be a list or a dict", **arguments)


@pytest.mark.parametrize(
    "name", ["", "1st", "_a", "a b", "a/b", "a:b", "ä", "a\n", 7, None]
)
def test_an_invalid_name_is_refused(parts, name):
    first, second, base = parts
    message = refused(
        ValueError,
        "name must begin with a letter",
        base_model=base,
        player_params=[first, second],
        player_names=["good", name],
    )
    assert repr(name) in message


@pytest.mark.parametrize("name", ["val", "val_g"])
def test_a_name_like_that_of_a_validation_log_is_refused(parts, name):
    first, second, base = parts
    refused(
        ValueError,
        "must not begin with 'val_'",
        base_model=base,
        player_params={"g": first, name: second},
    )


def test_a_name_that_only_begins_like_validation_is_fine(parts):
    first, second, base = parts
    players = assembled(base, params={"value": first, "valve": second})
    assert list(players) == ["value", "valve"]


def test_two_players_of_one_name_are_refused(parts):
    first, second, base = parts
    message = refused(
        ValueError,
        "must have different names",
        base_model=base,
        player_params=[first, second],
        player_names=["g", "g"],
    )
    assert "'g' more than once" in message


@pytest.mark.parametrize("names", ["gd", 2, {"g", "d"}])
def test_names_that_are_no_list_are_refused(parts, names):
    first, second, base = parts
    refused(
        TypeError,
        "`player_names` must be a list",
        base_model=base,
        player_params=[first, second],
        player_names=names,
    )


@pytest.mark.parametrize("names", [[], None])
def test_a_game_without_players_is_refused(parts, names):
    refused(
        ValueError,
        "A game must have a player",
        base_model=parts[2],
        player_params=[],
        player_names=names,
    )


def test_targets_of_two_players_with_one_name_are_refused():
    first, second = dense("b_c"), dense("c")
    message = refused(
        ValueError,
        "must have different names",
        player_models={"a": network(first), "a_b": network(second)},
        player_params=[first, second],
    )
    assert "'a_b_c' for output 'b_c' of 'a' and for output 'c' of 'a_b'" in (
        message
    )
    assert "rename the player or the output" in message


def test_a_target_with_the_name_of_a_player_is_refused():
    first, second = dense("b"), dense("c")
    message = refused(
        ValueError,
        "must have different names",
        player_models={"a": network(first), "a_b": network(second)},
        player_params=[first, second],
    )
    assert "'a_b' for output 'b' of 'a' and for player 'a_b'" in message


def test_a_numbered_output_with_the_name_of_another_is_refused():
    x = keras.Input((2,))
    layer, other = dense("d"), dense("d_1")
    message = refused(
        ValueError,
        "must have different names",
        base_model=keras.Model(x, [layer(x), layer(x + 1.0), other(x)]),
        player_params={"g": layer},
    )
    assert "'g_d_1' for output 'd_1' of 'g' and for output 'd_1'" in message


def test_a_network_that_is_no_model_is_refused(parts):
    first, second, base = parts
    message = refused(
        TypeError,
        "The network of player 'player_1' must be a Keras model",
        player_models=[base, second],
        player_params=[first, second],
    )
    assert "`Dense`" in message


def test_a_base_model_that_is_no_model_is_refused(parts):
    refused(
        TypeError,
        "The network of player 'player_0' must be a Keras model",
        base_model=lambda x: x,
        player_params=[parts[0]],
    )


class Holder(keras.layers.Layer):
    """A layer around another, which it does not build."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.scale = self.add_weight(shape=())
        self.built = True

    def call(self, x):
        return x * self.scale


class Forgetful(keras.Model):
    """A subclassed model that says it is built, whatever is in it."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.built = True

    def call(self, x):
        return self.inner(x)


def unbuilt_networks():
    lonely = dense("lonely")
    return {
        "sequential": keras.Sequential([lonely], name="lonely"),
        "layer in a subclassed model": Forgetful(lonely),
        "layer in a list": Forgetful([lonely]),
        "nested model": Forgetful(keras.Sequential([lonely], name="lonely")),
        "layer in a layer": network(Holder(lonely)),
        "layer in a nested layer": Forgetful(network(Holder(lonely))),
    }


@pytest.mark.parametrize("kind", list(unbuilt_networks()))
def test_an_unbuilt_network_is_refused_at_any_depth(parts, kind):
    first, second, base = parts
    message = refused(
        ValueError,
        "The network of player 'player_1' must be built, with all layers",
        player_models=[base, unbuilt_networks()[kind]],
        player_params=[first, second],
    )
    assert "Received: 'lonely' of type" in message
    assert "keras.Input(shape)" in message


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Bidirectional(keras.layers.LSTM(1)),
        keras.layers.TimeDistributed(keras.layers.Dense(1)),
        keras.layers.SpectralNormalization(keras.layers.Dense(1)),
        keras.layers.MultiHeadAttention(1, 2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_composite_layers_of_keras_count_as_built(layer):
    x = keras.Input((3, 2))
    both = isinstance(layer, keras.layers.MultiHeadAttention)
    base = keras.Model(x, layer(x, x) if both else layer(x))
    assert list(assembled(base, params={"p": layer})) == ["p"]


def test_a_parameter_with_two_owners_is_refused(parts):
    first, _, base = parts
    message = refused(
        ValueError,
        "A parameter must have one owner",
        base_model=base,
        player_params={"g": first, "d": [first.kernel]},
    )
    assert "kernel', owned by 'g' and 'd'" in message


def test_a_layer_that_two_players_share_has_two_owners(parts):
    shared = dense("shared")
    one, two = network(shared), network(shared)
    refused(
        ValueError,
        "A parameter must have one owner",
        player_models=[one, two],
        player_params=[one, two],
    )


def test_a_parameter_in_no_network_is_refused(parts):
    first, _, base = parts
    stranger = dense("stranger")
    stranger.build((None, 2))
    message = refused(
        ValueError,
        "A player's parameters must be part of a network",
        base_model=base,
        player_params={"g": first, "d": stranger},
    )
    assert "stranger/kernel' of player 'd'" in message


def test_params_that_do_not_exist_yet_are_refused(parts):
    first, _, base = parts
    message = refused(
        ValueError,
        "The parameters of player 'd' do not exist yet",
        base_model=base,
        player_params={"g": first, "d": dense("later")},
    )
    assert "'later'" in message


@pytest.mark.parametrize("wrong", ["kernel", 3, None])
def test_params_that_are_no_variables_are_refused(parts, wrong):
    first, _, base = parts
    refused(
        TypeError,
        "The parameters of player 'd' must be a list of variables",
        base_model=base,
        player_params={"g": first, "d": wrong},
    )


def test_a_lone_variable_in_place_of_a_list_is_refused(parts):
    first, second, base = parts
    refused(
        TypeError,
        "The parameters of player 'd' must be a list of variables",
        base_model=base,
        player_params={"g": first, "d": second.kernel},
    )


def test_a_list_of_layers_in_place_of_variables_is_refused(parts):
    first, second, base = parts
    message = refused(
        TypeError,
        "The parameters of player 'd' must be Keras variables",
        base_model=base,
        player_params={"g": first, "d": [second]},
    )
    assert "layer.trainable_weights" in message


def test_a_player_without_parameters_is_refused(parts):
    refused(
        ValueError,
        "Player 'd' must own at least one parameter",
        base_model=parts[2],
        player_params={"g": parts[0], "d": []},
    )


def test_a_player_whose_layer_is_frozen_is_refused_with_advice():
    first, second = dense("first"), dense("second")
    base = network(first, second)
    second.trainable = False
    message = refused(
        ValueError,
        "Player 'd' must own at least one parameter",
        base_model=base,
        player_params={"g": first, "d": second},
    )
    assert "trainable = False" in message


def test_a_trainable_variable_that_nobody_owns_is_a_warning(parts):
    first, _, base = parts
    with pytest.warns(UserWarning, match="No player owns") as caught:
        AdversarialModel(base, player_params={"g": first})
    (warning,) = caught
    assert "'second/kernel', 'second/bias'" in str(warning.message)
    assert warning.filename == __file__


def test_a_frozen_variable_that_nobody_owns_is_no_warning():
    first, second = dense("first"), dense("second")
    base = network(first, second)
    second.trainable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assembled(base, params={"g": first})
