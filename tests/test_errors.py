import pickle
import re
import warnings

import keras
import numpy as np
import pytest

import adversarial
from adversarial import optimizers
from adversarial.errors import (
    GameDivergedError,
    conversation,
    divergence,
    quoted,
    unknown,
)


def test_a_message_says_what_must_hold_what_came_and_what_to_type():
    message = conversation(
        "Weights must be positive.",
        expected="numbers above 0.",
        received="-1.",
        fix="pass 1.",
    )
    assert message == (
        "Weights must be positive.\n"
        "  Expected: numbers above 0.\n"
        "  Received: -1.\n"
        "  Fix: pass 1."
    )


def test_parts_that_are_not_given_leave_no_line():
    assert conversation("It must hold.") == "It must hold."
    assert conversation("It must hold.", received="no.").count("\n") == 1


def test_names_are_listed_in_quotes():
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert quoted([]) == "none"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("generatr", "generator"),
        ("Generator", "generator"),
        ("critc", "Critic"),
        ("CRITIC", "Critic"),
    ],
)
def test_an_unknown_name_gets_the_nearest_spelling(name, nearest):
    error = unknown("player", name, ["generator", "Critic"])
    assert isinstance(error, ValueError)
    assert f"Unknown player: '{name}'." in str(error)
    assert "one of 'generator', 'Critic'" in str(error)
    assert f"did you mean '{nearest}'?" in str(error)


@pytest.mark.parametrize("name", ["zzz", 3, None])
def test_a_name_like_no_other_gets_the_list_only(name):
    message = str(unknown("player", name, ["generator", "critic"]))
    assert "'generator', 'critic'" in message
    assert "Fix" not in message


def test_a_diverged_game_names_its_players_and_the_step():
    error = GameDivergedError(["generator", "critic"], 7)
    assert isinstance(error, ArithmeticError)
    assert error.players == ("generator", "critic")
    assert error.step == 7
    assert "'generator', 'critic' at training step 7" in str(error)
    assert "the weights are those from before it" in str(error)
    assert 'on_nonfinite="warn"' in str(error)


def test_a_warning_of_divergence_gives_the_advice_it_is_given():
    message = divergence(["critic"], 2, fix="go slower.")
    assert "'critic' at training step 2" in message
    assert message.endswith("Fix: go slower.")


def test_a_diverged_game_travels_between_processes():
    error = pickle.loads(pickle.dumps(GameDivergedError(["critic"], 3)))
    assert (error.players, error.step) == (("critic",), 3)


X = np.ones((8, 1), "float32")
Y = [X] * 4
NAMES = ["p_a", "p_b", "q_a", "q_b"]


@pytest.fixture(scope="module")
def networks():
    """Two layers on one input."""
    x = keras.Input((1,))
    layers = [keras.layers.Dense(1, name=name) for name in "ab"]
    return layers, keras.Model(x, [layer(x) for layer in layers])


@pytest.fixture
def model(networks):
    (a, b), base = networks
    return adversarial.AdversarialModel(base, player_params={"p": a, "q": b})


def refused(error, *parts):
    """The error that is met, with these parts in its message."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, parts)))


@pytest.mark.parametrize(
    "method", ["fit", "evaluate", "train_on_batch", "test_on_batch"]
)
def test_a_model_must_be_compiled_before_it_plays(model, method):
    with refused(ValueError, "must be compiled first", "Fix: call `model.comp"):
        getattr(model, method)(X, Y)


def test_a_model_predicts_without_being_compiled(model):
    outputs = model.predict(X, verbose=0)
    assert [y.shape for y in outputs] == [(8, 1)] * 4


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        (
            {"adversarial_optimizer": "simultanous"},
            ValueError,
            ["Unknown strategy: 'simultanous'", "mean 'simultaneous'?"],
        ),
        (
            {"adversarial_optimizer": "scheduled"},
            ValueError,
            ["strategy 'scheduled' needs", "`Scheduled(schedule=...)`"],
        ),
        (
            {"adversarial_optimizer": keras.optimizers.Adam()},
            TypeError,
            ["The strategy must be a name or an instance", "of type `Adam`"],
        ),
        (
            {"adversarial_optimizer": optimizers.Alternating},
            TypeError,
            ["The strategy must be", "write `Alternating(...)`"],
        ),
        (
            {"adversarial_optimizer": optimizers.Scheduled(["p", "qq"])},
            ValueError,
            ["Unknown player in `schedule`: 'qq'", "did you mean 'q'?"],
        ),
        (
            {"adversarial_optimizer": optimizers.Alternating(order=["p"])},
            ValueError,
            ["`order` must name every player once", "Received: 'p'"],
        ),
        (
            {"adversarial_optimizer": optimizers.Alternating(steps={"r": 2})},
            ValueError,
            ["Unknown player", "'r'", "one of 'p', 'q'"],
        ),
        (
            {"player_optimizers": ["adam"]},
            ValueError,
            ["one optimizer per player", "Expected: 2", "Received: 1"],
        ),
        (
            {"loss": "binary_crosentropy"},
            ValueError,
            ["Unknown loss", "did you mean 'binary_crossentropy'?"],
        ),
        (
            {"loss": "mse", "metrics": {"c": "mse"}},
            ValueError,
            ["Unknown player, output or target in `metrics`: 'c'"],
        ),
        (
            {"loss": ["mse", "mse", "mse"]},
            ValueError,
            ["`loss` must hold one entry per output", "Received: 3"],
        ),
        (
            {"update_state": {"r": False}},
            ValueError,
            ["Unknown player in `update_state`: 'r'"],
        ),
        (
            {"loss": "mse", "on_nonfinite": "ignore"},
            ValueError,
            [
                "`on_nonfinite` must be 'raise', 'warn' or 'rollback'",
                "'ignore'",
            ],
        ),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_wrong_arguments_are_refused_by_compile(model, arguments, error, parts):
    with refused(error, *parts):
        model.compile(**arguments)
    model.compile(loss={"p": "mse"})


@pytest.mark.parametrize("schedule", [[], (), "p"])
def test_an_empty_schedule_is_refused_when_it_is_made(schedule):
    with refused(ValueError, "must be a list with at least one entry", "Fix"):
        optimizers.Scheduled(schedule)


@pytest.mark.parametrize("entry", [[], ()])
def test_an_empty_entry_of_a_schedule_is_refused_when_it_is_made(entry):
    with refused(ValueError, "must name at least one player"):
        optimizers.Scheduled(["p", entry])


def test_what_is_in_use_is_refused_by_compile(model):
    strategy, adam = optimizers.Simultaneous(), keras.optimizers.Adam()
    with refused(ValueError, "optimizer of its own", "for 'p' and 'q'"):
        model.compile(strategy, [adam, adam], loss="mse")
    model.compile(strategy, [adam, "sgd"], loss="mse")
    with refused(ValueError, "belongs to one compiled model", "new `Simul"):
        model.compile(strategy, "adam", loss="mse")
    with refused(ValueError, "optimizer of player 'q' must be new", "`Adam`"):
        model.compile("simultaneous", ["adam", adam], loss="mse")


OWN = {"p": {"a": "mse"}, "q": {"b": "mse"}}


@pytest.mark.parametrize(
    ("y", "parts"),
    [
        (None, ["need targets", "4 targets", "`y=None`"]),
        (X, ["one entry per target", "Expected: 4", "Received: 1."]),
        (Y[:3], ["one entry per target", "'p_a', 'p_b'", "Received: 3."]),
        ({"p_a": X}, ["one entry per target", "for 'p_b', 'q_a', 'q_b'"]),
        (
            dict(zip([*NAMES[:3], "qb"], Y, strict=True)),
            ["Unknown target in `y`: 'qb'", "did you mean 'q_b'?"],
        ),
        (
            [*Y[:3], np.ones((8, 2))],
            ["The target 'q_b'", "(batch, 1)", "(batch, 2)"],
        ),
    ],
    ids=["none", "one", "three", "missing", "unknown", "shape"],
)
def test_targets_that_do_not_fit_are_refused_at_the_first_batch(
    model, y, parts
):
    before = model.get_weights()
    model.compile(loss=OWN, run_eagerly=True)
    for play in (model.fit, model.evaluate):
        with refused(ValueError, *parts):
            play(X, y, verbose=0)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_targets_of_a_wrong_shape_are_refused_in_evaluation_too(model):
    model.compile(loss=OWN)
    model.fit(X, Y, verbose=0)
    wrong = [np.ones((8, 2), "float32")] * 4
    with refused(ValueError, "The target 'p_a' must have the shape"):
        model.evaluate(X, wrong, verbose=0)


def test_a_player_that_cannot_move_is_refused_at_the_first_step(model):
    model.compile(loss={"p": {"b": "mse"}, "q": {"b": "mse"}})
    with refused(ValueError, "player 'p' does not depend", "'a/kernel'"):
        model.fit(X, Y, verbose=0)


def test_a_parameter_that_cannot_move_is_one_warning(networks):
    (a, b), base = networks
    params = {"p": [a.kernel, a.bias, b.kernel], "q": [b.bias]}
    model = adversarial.AdversarialModel(base, player_params=params)
    model.compile("alternating", "sgd", loss={"p": {"a": "mse"}, "q": "mse"})
    before = b.kernel.numpy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
        model.fit(X[:3], [y[:3] for y in Y], verbose=0)
    (warning,) = caught
    assert "'p' does not depend on 'b/kernel'" in str(warning.message)
    np.testing.assert_array_equal(b.kernel.numpy(), before)


def test_a_player_without_a_loss_is_refused_at_the_first_batch(model):
    model.compile(loss={"p": "mse"})
    with refused(ValueError, "Player 'q' has no loss", 'loss={"q": ...}'):
        model.fit(X, Y, verbose=0)


def test_loss_weights_beside_the_loss_of_a_whole_game_are_refused(model):
    class Zero(adversarial.losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            return [outputs[0], outputs[1]]

    with refused(ValueError, "`loss_weights` must weigh"):
        model.compile(loss=Zero(), loss_weights=2.0)
