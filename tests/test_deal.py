import re

import keras
import pytest
from engines import without

from adversarial import backend
from adversarial.assembly import assemble
from adversarial.deal import (
    deal,
    deal_flag,
    deal_kwargs,
    deal_optimizers,
    equip,
)
from adversarial.losses import AdversarialLoss
from adversarial.optimizers import Simultaneous

ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.25}}


def players_with(outputs):
    """Players on networks of their own, with outputs of the given names."""
    models, params = {}, {}
    for player, names in outputs.items():
        x = keras.Input((1,))
        layers = [keras.layers.Dense(1, name=name) for name in names]
        models[player] = keras.Model(x, [layer(x) for layer in layers])
        params[player] = models[player]
    return assemble(None, models, params, None)


GAN = players_with(
    {name: ["yfake", "yreal"] for name in ("generator", "discriminator")}
)
PAIR = players_with({"first": ["score"], "second": ["score"]})
UNEVEN = players_with({"actor": ["policy", "entropy"], "critic": ["value"]})


def shares(players, given, argument="loss"):
    return [deal(players, p, given, argument) for p in players.values()]


def refused(error, match, players, given, argument="loss"):
    with pytest.raises(error, match=re.escape(match)) as caught:
        shares(players, given, argument)
    return str(caught.value)


MSE, MAE, BCE = "mse", "mae", "binary_crossentropy"


@pytest.mark.parametrize(
    ("players", "given", "expected"),
    [
        (GAN, None, [None, None]),
        (GAN, {}, [None, None]),
        (GAN, MSE, [[MSE, MSE], [MSE, MSE]]),
        (GAN, [MSE, MAE], [[MSE, MAE], [MSE, MAE]]),
        (GAN, (MSE, None), [[MSE, None], [MSE, None]]),
        (GAN, [MSE, MAE, BCE, None], [[MSE, MAE], [BCE, None]]),
        (GAN, [None, None, BCE, None], [None, [BCE, None]]),
        (GAN, {"yreal": MSE}, [[None, MSE], [None, MSE]]),
        (GAN, {"yreal": MSE, "yfake": MAE}, [[MAE, MSE], [MAE, MSE]]),
        (GAN, {"generator": MSE}, [[MSE, MSE], None]),
        (
            GAN,
            {"generator": MSE, "discriminator": [MAE, BCE]},
            [[MSE, MSE], [MAE, BCE]],
        ),
        (
            GAN,
            {"discriminator": {"yreal": MSE}, "generator": {"yfake": MAE}},
            [[MAE, None], [None, MSE]],
        ),
        (
            GAN,
            {"discriminator": {"discriminator_yreal": MSE}},
            [None, [None, MSE]],
        ),
        (
            GAN,
            {"generator_yfake": MSE, "discriminator_yreal": MAE},
            [[MSE, None], [None, MAE]],
        ),
        (PAIR, MSE, [[MSE], [MSE]]),
        (PAIR, [MSE], [[MSE], [MSE]]),
        (PAIR, [MSE, MAE], [[MSE], [MAE]]),
        (PAIR, {"score": MSE}, [[MSE], [MSE]]),
        (PAIR, {"first": MSE, "second": [MAE]}, [[MSE], [MAE]]),
        (PAIR, {"first_score": MSE}, [[MSE], None]),
        (UNEVEN, [MSE, MAE, BCE], [[MSE, MAE], [BCE]]),
        (UNEVEN, {"value": MSE, "policy": MAE}, [[MAE, None], [MSE]]),
    ],
)
def test_losses_are_dealt_out_in_every_form(players, given, expected):
    assert shares(players, given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, [[2.0, 2.0], [2.0, 2.0]]),
        ([1, 0.5], [[1.0, 0.5], [1.0, 0.5]]),
        ([1, 2, 3, 4], [[1.0, 2.0], [3.0, 4.0]]),
        ({"yreal": 3}, [[None, 3.0], [None, 3.0]]),
        ({"generator": 3}, [[3.0, 3.0], None]),
        ({"generator": {"yfake": 0.0}}, [[0.0, None], None]),
        ({"discriminator_yfake": 2}, [None, [2.0, None]]),
    ],
)
def test_loss_weights_are_dealt_out_like_losses(given, expected):
    assert shares(GAN, given, "loss_weights") == expected


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize(
    ("players", "given", "expected"),
    [
        (GAN, None, [None, None]),
        (GAN, [], [None, None]),
        (GAN, {"generator": []}, [None, None]),
        (GAN, MSE, [[[MSE], [MSE]], [[MSE], [MSE]]]),
        (GAN, [MSE, MAE], [[[MSE], [MAE]], [[MSE], [MAE]]]),
        (GAN, [[MSE, MAE], None], [[[MSE, MAE], []]] * 2),
        (GAN, [None, None, MSE, [MAE]], [None, [[MSE], [MAE]]]),
        (GAN, {"yreal": [MSE, MAE]}, [[[], [MSE, MAE]]] * 2),
        (GAN, {"generator": {"yreal": [MSE, MAE]}}, [[[], [MSE, MAE]], None]),
        (GAN, {"generator": [MSE, [MAE]]}, [[[MSE], [MAE]], None]),
        (GAN, {"discriminator_yreal": MSE}, [None, [[], [MSE]]]),
        (PAIR, [MSE, MAE], [[[MSE, MAE]], [[MSE, MAE]]]),
        (PAIR, [MSE], [[[MSE]], [[MSE]]]),
        (PAIR, [[MSE, MAE], [MSE]], [[[MSE, MAE]], [[MSE]]]),
        (PAIR, [None, MSE], [None, [[MSE]]]),
        (PAIR, {"first": [MSE, MAE]}, [[[MSE, MAE]], None]),
        (PAIR, {"first": [[MSE, MAE]]}, [[[MSE, MAE]], None]),
        (PAIR, {"score": [MSE, MAE]}, [[[MSE, MAE]], [[MSE, MAE]]]),
        (UNEVEN, [MSE, MAE, BCE], [[[MSE], [MAE]], [[BCE]]]),
        (UNEVEN, {"critic": [MSE, MAE]}, [None, [[MSE, MAE]]]),
    ],
)
def test_metrics_are_dealt_out_in_every_form(
    players, given, expected, argument
):
    assert shares(players, given, argument) == expected


def test_metric_objects_are_copied_so_that_players_share_no_state():
    given = keras.metrics.BinaryAccuracy(threshold=0.25, name="quarter")
    copies = [
        metric
        for share in shares(GAN, given, "metrics")
        for several in share
        for metric in several
    ]
    assert len({id(metric) for metric in [given, *copies]}) == 5
    for metric in copies:
        assert metric.name == "quarter"
        assert metric.threshold == 0.25
        assert not {id(v) for v in metric.variables} & {
            id(v) for v in given.variables
        }


def test_metrics_that_keras_does_not_know_are_copied_too():
    class Own(keras.metrics.Mean):
        pass

    ((copy,),) = deal(PAIR, PAIR["first"], Own(name="own"), "metrics")
    assert type(copy) is Own
    assert copy.name == "own"


def test_functions_and_objects_are_losses():
    def own(y, y_pred):
        return y_pred

    hinge = keras.losses.Hinge()
    assert shares(GAN, [own, hinge]) == [[own, hinge], [own, hinge]]


@pytest.mark.parametrize(
    "name", ["MeanSquaredError", "mean_squared_error", "bce", "ce"]
)
def test_every_spelling_of_keras_is_a_loss(name):
    assert shares(PAIR, name) == [[name], [name]]


@pytest.mark.parametrize("name", ["accuracy", "acc", "AUC", "mse"])
def test_every_spelling_of_keras_is_a_metric(name):
    assert shares(PAIR, name, "metrics") == [[[name]], [[name]]]


def test_an_unknown_loss_gets_the_nearest_spelling():
    message = refused(ValueError, "Unknown loss", GAN, "binary_crosentropy")
    assert "did you mean 'binary_crossentropy'?" in message
    assert "'deserialize'" not in message


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_an_unknown_metric_gets_the_nearest_spelling(argument):
    message = refused(
        ValueError, "Unknown metric", GAN, "binary_acuracy", argument
    )
    assert "did you mean 'binary_accuracy'?" in message


def test_a_loss_that_is_no_metric_is_refused_as_one():
    refused(ValueError, "Unknown metric: 'ce'", GAN, "ce", "metrics")


@pytest.mark.parametrize("argument", ["loss", "loss_weights", "metrics"])
def test_an_unknown_key_gets_the_nearest_spelling(argument):
    entry = 1.0 if argument == "loss_weights" else MSE
    for key, nearest in {
        "generatr": "generator",
        "y_fake": "yfake",
        "generator_yfak": "generator_yfake",
    }.items():
        message = refused(
            ValueError,
            f"Unknown player, output or target in `{argument}`: '{key}'",
            GAN,
            {key: entry},
            argument,
        )
        assert f"did you mean '{nearest}'?" in message


def test_an_unknown_output_of_one_player_gets_the_nearest_spelling():
    message = refused(
        ValueError,
        "Unknown output of 'actor' in `loss`: 'policies'",
        UNEVEN,
        {"actor": {"policies": MSE}},
    )
    assert "one of 'policy', 'entropy'" in message
    assert "did you mean 'policy'?" in message


def test_the_output_of_another_player_is_not_ignored():
    refused(
        ValueError,
        "Unknown output of 'actor' in `loss`: 'value'",
        UNEVEN,
        {"actor": {"value": MSE}},
    )


def test_keys_of_different_kinds_are_refused():
    message = refused(
        ValueError,
        "The keys of `loss` must be of one kind",
        GAN,
        {"generator": MSE, "yfake": MSE},
    )
    assert "players ('generator', 'discriminator')" in message
    assert "outputs ('yfake', 'yreal')" in message


@pytest.mark.parametrize("argument", ["loss", "loss_weights", "metrics"])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_list_of_a_wrong_length_is_refused(count, argument):
    entry = 1.0 if argument == "loss_weights" else MSE
    message = refused(
        ValueError,
        f"`{argument}` must hold one entry per output of player 'generator', "
        "or one per target",
        GAN,
        [entry] * count,
        argument,
    )
    assert "2 ('yfake', 'yreal'), or 4 ('generator_yfake'," in message
    assert f"Received: {count}." in message


def test_a_players_list_holds_its_outputs_and_not_all_targets():
    message = refused(
        ValueError,
        "one entry per output of player 'first'.",
        PAIR,
        {"first": [MSE, MAE]},
    )
    assert "Expected: 1 ('score')." in message


class Zero(AdversarialLoss):
    def call(self, outputs, targets=None):
        return {}


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ({"generator": Zero()}, "a `Zero` for one player or output"),
        ([Zero(), None], "a `Zero` for one player or output"),
        (Zero, "the class `Zero`, not an object of it"),
    ],
)
def test_the_loss_of_a_whole_game_is_not_that_of_a_player(given, received):
    message = refused(
        TypeError, "must be the one loss of all players", GAN, given
    )
    assert received in message
    assert "Fix: pass `loss=Zero(...)`" in message


@pytest.mark.parametrize(
    ("argument", "given", "wanted"),
    [
        ("loss", 3, "A loss must be a Keras loss"),
        ("metrics", 3, "A metric must be a Keras metric"),
        ("loss_weights", "much", "`loss_weights` must be a number"),
    ],
)
def test_things_of_a_wrong_type_are_refused(argument, given, wanted):
    message = refused(TypeError, wanted, GAN, given, argument)
    assert repr(given) in message


@pytest.mark.parametrize("given", ["adam", "Adam", ADAM])
def test_one_name_or_config_is_a_fresh_optimizer_for_each_player(given):
    optimizers = deal_optimizers(GAN, given)
    assert list(optimizers) == ["generator", "discriminator"]
    one, two = optimizers.values()
    assert one is not two
    # On PyTorch, they are of a class behind it.
    assert isinstance(one, keras.optimizers.Adam)
    assert isinstance(two, keras.optimizers.Adam)
    rate = 0.25 if given is ADAM else 0.001
    assert [round(float(o.learning_rate), 6) for o in (one, two)] == [rate] * 2


def test_optimizers_come_as_a_list_or_a_dict():
    one, two = keras.optimizers.SGD(), keras.optimizers.Adam()
    expected = {"generator": one, "discriminator": two}
    assert deal_optimizers(GAN, [one, two]) == expected
    assert deal_optimizers(GAN, (one, two)) == expected
    reverse = {"discriminator": two, "generator": one}
    assert list(deal_optimizers(GAN, reverse).items()) == list(expected.items())
    mixed = deal_optimizers(GAN, ["sgd", ADAM])
    assert isinstance(mixed["generator"], keras.optimizers.SGD)
    assert isinstance(mixed["discriminator"], keras.optimizers.Adam)


def test_a_lone_player_takes_a_lone_optimizer():
    alone = players_with({"only": ["y"]})
    adam = keras.optimizers.Adam()
    assert deal_optimizers(alone, adam) == {"only": adam}


def optimizers_refused(error, match, given):
    with pytest.raises(error, match=re.escape(match)) as caught:
        deal_optimizers(GAN, given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "received"),
    [
        (keras.optimizers.Adam(), "1 (Adam)"),
        (["adam"], "1 ('adam')"),
        (["adam", "sgd", keras.optimizers.SGD()], "3 ('adam', 'sgd', SGD)"),
        ({"generator": "adam"}, "1 ('adam')"),
        ([], "0 (none)"),
        (None, "1 (NoneType)"),
    ],
)
def test_a_wrong_number_of_optimizers_is_refused(given, received):
    message = optimizers_refused(
        ValueError, "must hold one optimizer per player", given
    )
    assert "Expected: 2, for players 'generator', 'discriminator'." in message
    assert f"Received: {received}." in message
    assert (
        'player_optimizers={"generator": Adam(), "discriminator": Adam()}'
        in message
    )


def test_optimizers_of_an_unknown_player_are_refused():
    message = optimizers_refused(
        ValueError,
        "Unknown player in `player_optimizers`: 'descriminator'",
        {"generator": "adam", "descriminator": "adam"},
    )
    assert "did you mean 'discriminator'?" in message


@pytest.mark.parametrize("given", ["addam", ["adam", "addam"]])
def test_an_unknown_optimizer_gets_the_nearest_spelling(given):
    message = optimizers_refused(ValueError, "Unknown optimizer", given)
    assert "did you mean 'adam'?" in message


def test_what_is_no_optimizer_is_refused():
    optimizers_refused(
        TypeError, "The optimizer of player 'discriminator'", ["adam", 0.1]
    )


def test_a_strategy_is_no_players_optimizer():
    message = optimizers_refused(
        TypeError,
        "The optimizer of player 'generator' must be a Keras optimizer",
        [Simultaneous(), Simultaneous()],
    )
    assert "Fix: pass a strategy as `adversarial_optimizer`" in message


def test_one_optimizer_for_two_players_is_refused():
    adam = keras.optimizers.Adam()
    message = optimizers_refused(
        ValueError, "Every player must have an optimizer of its own", [adam] * 2
    )
    assert "one `Adam` object for 'generator' and 'discriminator'" in message
    assert 'player_optimizers="adam"' in message


def test_one_optimizer_inside_two_loss_scales_is_refused():
    adam = keras.optimizers.Adam()
    scaled = [keras.optimizers.LossScaleOptimizer(adam) for _ in range(2)]
    optimizers_refused(ValueError, "an optimizer of its own", scaled)


@pytest.mark.parametrize("wrap", [False, True])
def test_an_optimizer_in_use_is_refused(wrap):
    used = keras.optimizers.Adam()
    used.build(GAN["generator"].variables)
    if wrap:
        used = keras.optimizers.LossScaleOptimizer(used)
    message = optimizers_refused(
        ValueError,
        "The optimizer of player 'discriminator' must be new",
        ["adam", used],
    )
    assert "one of type `Adam` that is already in use" in message


@keras.saving.register_keras_serializable(package="deal_tests")
class Halved(keras.optimizers.SGD):
    pass


def test_a_registered_optimizer_goes_by_its_name():
    optimizers = deal_optimizers(GAN, "deal_tests>Halved")
    assert all(type(o) is Halved for o in optimizers.values())


@pytest.mark.parametrize("as_dict", [False, True])
def test_arguments_per_player_become_arguments_for_all(as_dict):
    given = [{"metrics": [[MSE], [MAE]]}, {"loss_weights": [1, 2]}]
    if as_dict:
        given = dict(zip(GAN, given, strict=True))
    assert deal_kwargs(GAN, BCE, given) == {
        "loss": BCE,
        "metrics": {"generator": [[MSE], [MAE]]},
        "loss_weights": {"discriminator": [1, 2]},
    }


def test_without_arguments_per_player_the_loss_is_left_as_it_is():
    assert deal_kwargs(GAN, [MSE, MAE], None) == {"loss": [MSE, MAE]}
    assert deal_kwargs(GAN, [MSE] * 4, [None, {}]) == {"loss": [MSE] * 4}


@pytest.mark.parametrize(
    ("loss", "rest"), [(BCE, BCE), ({"generator": BCE}, BCE)]
)
def test_a_players_own_loss_replaces_that_of_all(loss, rest):
    given = {"discriminator": {"loss": MSE}}
    expected = {"generator": rest, "discriminator": MSE}
    assert deal_kwargs(GAN, loss, given) == {"loss": expected}


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([{}], "must hold one entry per player"),
        ({"critic": {}}, "Unknown player in `player_compile_kwargs`: 'critic'"),
        ([{"metric": MSE}, {}], "Unknown argument in `player_compile_kwargs`"),
    ],
)
def test_wrong_arguments_per_player_are_refused(given, match):
    with pytest.raises(ValueError, match=re.escape(match)):
        deal_kwargs(GAN, MSE, given)


def test_a_flag_is_for_all_players_or_those_that_are_named():
    both = {"generator": True, "discriminator": True}
    assert deal_flag(GAN, True, "flag") == both
    assert deal_flag(GAN, False, "flag") == dict.fromkeys(GAN, False)
    given = {"discriminator": False}
    assert deal_flag(GAN, given, "flag") == {**both, **given}
    assert deal_flag(GAN, {}, "flag") == both


def test_a_flag_of_an_unknown_player_is_refused():
    with pytest.raises(ValueError, match="Unknown player in `flag`") as error:
        deal_flag(GAN, {"generatr": False}, "flag")
    assert "did you mean 'generator'?" in str(error.value)


def equipped(players, optimizers, update_state=(), **kwargs):
    options = {"scaled": False, "fuse": False, **kwargs}
    update = {**dict.fromkeys(players, True), **dict(update_state)}
    equip(players, optimizers, update, **options)
    return list(players.values())


def test_players_are_equipped_with_built_optimizers():
    optimizers = deal_optimizers(PAIR, "adam")
    first, second = equipped(PAIR, optimizers, {"second": False})
    assert first.optimizer is optimizers["first"]
    assert first.optimizer.built
    assert (first.update_state, second.update_state) == (True, False)
    assert not first.fuse_updates


def scaled_sgd():
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())


def half(*, nested):
    """Two players, of whom the second computes in float16."""
    models = {}
    for name, policy in (("full", "float32"), ("half", "mixed_float16")):
        layer = keras.layers.Dense(1, dtype=policy)
        x = keras.Input((1,))
        if nested:
            layer = keras.Sequential([keras.Input((1,)), layer], name="body")
        models[name] = keras.Model(x, layer(x))
    return assemble(None, models, models, None)


@pytest.mark.parametrize("nested", [False, True])
def test_players_that_compute_in_float16_get_a_loss_scale(nested):
    players = half(nested=nested)
    optimizers = deal_optimizers(players, "sgd")
    full, scaled = equipped(players, optimizers, scaled=True)
    assert full.optimizer is optimizers["full"]
    assert isinstance(scaled.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled.optimizer.inner_optimizer is optimizers["half"]


def test_a_loss_scale_of_ones_own_is_kept_and_none_is_made_unasked():
    own = [scaled_sgd(), scaled_sgd()]
    players = half(nested=False)
    found = equipped(players, deal_optimizers(players, own), scaled=True)
    assert [p.optimizer for p in found] == own
    fresh = deal_optimizers(players, "sgd")
    assert [p.optimizer for p in equipped(players, fresh)] == [*fresh.values()]


@without("torch", "It fuses no updates.")
@pytest.mark.parametrize(
    ("make", "fuses"),
    [
        (keras.optimizers.Adam, True),
        (Halved, False),
        (scaled_sgd, False),
    ],
    ids=["built in", "a user's own", "with a loss scale"],
)
def test_only_the_updates_of_keras_own_optimizers_are_fused(
    make, fuses, monkeypatch
):
    monkeypatch.setattr(backend, "fuses_updates", lambda: True)
    players = equipped(PAIR, deal_optimizers(PAIR, [make(), make()]), fuse=True)
    assert [p.fuse_updates for p in players] == [fuses, fuses]


def test_a_lone_players_update_is_not_fused(monkeypatch):
    monkeypatch.setattr(backend, "fuses_updates", lambda: True)
    alone = players_with({"only": ["y"]})
    (player,) = equipped(alone, deal_optimizers(alone, "adam"), fuse=True)
    assert not player.fuse_updates
