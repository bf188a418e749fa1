import re

import keras
import numpy as np
import pytest

from adversarial.batch import Batch, split_batch
from adversarial.player import Player, Players


def player(name, outputs):
    made = Player(name, keras.Model(), [])
    made.output_names = outputs
    return made


GAN = Players(
    [player(name, ["yfake", "yreal"]) for name in ("generator", "critic")]
)
ALONE = Players([player("only", ["y"])])
X = np.zeros((4, 1))
Y = [np.full((4, 1), float(i)) for i in range(4)]
NAMES = GAN.targets
W = np.arange(4.0)


def split(y, sample_weight=None, players=GAN):
    return split_batch(players, X, y, sample_weight, targets=True)


def numbers(dealt):
    """The targets above by their numbers."""
    return {
        name: [None if y is None else int(y[0, 0]) for y in block]
        for name, block in dealt.items()
    }


def refused(match, *args, **kwargs):
    with pytest.raises(ValueError, match=re.escape(match)) as caught:
        split(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    "y",
    [
        Y,
        tuple(Y),
        [[Y[0], Y[1]], [Y[2], Y[3]]],
        dict(zip(NAMES, Y, strict=True)),
        dict(zip(reversed(NAMES), reversed(Y), strict=True)),
        {"generator": Y[:2], "critic": Y[2:]},
        {"critic": tuple(Y[2:]), "generator": Y[:2]},
        {
            "generator": {"yreal": Y[1], "yfake": Y[0]},
            "critic": {"yfake": Y[2], "yreal": Y[3]},
        },
        {"generator": Y[:2], "critic": {"yfake": Y[2], "yreal": Y[3]}},
    ],
    ids=[
        "list",
        "tuple",
        "nested list",
        "dict by target",
        "dict in another order",
        "dict by player",
        "dict by player in another order",
        "dict by player and output",
        "dict by player, list and dict",
    ],
)
def test_targets_are_dealt_out_in_every_form(y):
    batch = split(y)
    assert numbers(batch.targets) == {"generator": [0, 1], "critic": [2, 3]}
    assert batch.weights == {"generator": None, "critic": None}
    assert batch.x is X
    assert batch.y is y


@pytest.mark.parametrize(
    "y", [Y[2], [Y[2]], {"only_y": Y[2]}, {"only": Y[2]}, {"only": {"y": Y[2]}}]
)
def test_a_lone_target_needs_no_list(y):
    assert numbers(split(y, players=ALONE).targets) == {"only": [2]}


def test_targets_that_nobody_needs_are_left_as_they_came():
    batch = split_batch(GAN, X, "anything", W, targets=False)
    assert batch == Batch(X, "anything", W)
    assert batch.targets == {}


def test_one_weight_is_for_every_target():
    weights = split(Y, W).weights
    assert all(w is W for block in weights.values() for w in block)
    assert [len(block) for block in weights.values()] == [2, 2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Y, {"generator": [0, 1], "critic": [2, 3]}),
        (
            {"generator_yreal": Y[1]},
            {"generator": [None, 1], "critic": [None, None]},
        ),
        (
            {"critic": Y[2:]},
            {"generator": [None, None], "critic": [2, 3]},
        ),
        (
            {"critic": {"yreal": Y[3]}},
            {"generator": [None, None], "critic": [None, 3]},
        ),
    ],
)
def test_weights_are_dealt_out_like_targets_and_may_be_missing(given, expected):
    assert numbers(split(Y, given).weights) == expected


def test_missing_targets_are_refused():
    message = refused("need targets", None)
    assert "4 targets, in this order: 'generator_yfake'" in message
    assert "`y=None`" in message
    assert "AdversarialLoss" in message


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_wrong_number_of_targets_is_refused(count):
    message = refused("`y` must hold one entry per target", [Y[0]] * count)
    assert (
        "Expected: 4 targets, in this order: 'generator_yfake', "
        "'generator_yreal', 'critic_yfake', 'critic_yreal'." in message
    )
    assert f"Received: {count}." in message
    assert "tf.data.Dataset" in message


def test_one_array_for_many_targets_is_refused():
    message = refused("`y` must hold one entry per target", Y[0])
    assert "Received: 1." in message


def test_too_many_targets_for_a_lone_player_are_refused():
    message = refused("one entry per target", Y[:2], players=ALONE)
    assert "Expected: 1 target, in this order: 'only_y'" in message


def test_an_unknown_target_gets_the_nearest_spelling():
    y = {**dict(zip(NAMES, Y, strict=True)), "critic_fake": Y[0]}
    message = refused("Unknown target in `y`: 'critic_fake'", y)
    assert "did you mean 'critic_yfake'?" in message


def test_an_unknown_output_gets_the_nearest_spelling():
    y = {"generator": {"yfake": Y[0], "real": Y[1]}, "critic": Y[2:]}
    message = refused("Unknown output of 'generator' in `y`: 'real'", y)
    assert "did you mean 'yreal'?" in message


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        ({}, NAMES),
        ({NAMES[0]: Y[0], NAMES[2]: Y[2]}, [NAMES[1], NAMES[3]]),
        ({"generator": Y[:2]}, NAMES[2:]),
        ({"generator": Y[:2], "critic": {"yfake": Y[2]}}, NAMES[3:]),
    ],
)
def test_a_dict_that_lacks_targets_is_refused_with_their_names(y, missing):
    message = refused("`y` must hold one entry per target", y)
    named = ", ".join(f"'{name}'" for name in missing)
    assert f"Received: none for {named}." in message


def test_a_wrong_number_of_one_players_targets_is_refused():
    message = refused(
        "`y` of player 'critic' must hold one entry per output",
        {"generator": Y[:2], "critic": Y[:3]},
    )
    assert "Expected: 2: 'yfake', 'yreal'." in message
    assert "Received: 3." in message


def test_wrong_weights_are_refused_by_their_name():
    refused("`sample_weight` must hold one entry per target", Y, Y[:3])
    message = refused(
        "Unknown target in `sample_weight`: 'critc_yfake'",
        Y,
        {"critc_yfake": W},
    )
    assert "did you mean 'critic_yfake'?" in message
