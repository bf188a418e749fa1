import keras
import numpy as np
import pytest

import adversarial
from adversarial.diagnostics import DualityGap, duality_gap

CONVERGED = 1e-8
"""400 steps of SGD that shrink the way left by 0.9 or better."""
ONES = np.ones((8, 1))
TRAINING = {"steps": 400, "batch_size": 4}


def sgd(model, rate=0.1):
    return {n: keras.optimizers.SGD(rate) for n in model.players}


def test_a_saddle_of_curved_slopes_has_its_exact_duality_gap(
    quadratic, playing, float64
):
    """M = x^2 + x y - y^2: best replies -y/2 and x/2."""
    game = quadratic([1, 1])
    m = np.array([[2.0, 1.0], [1.0, -2.0]])
    game.matrices, game.vectors = np.stack([m, -m]), np.zeros((2, 2))
    game.start = np.array([3.0, 4.0])
    model = playing(game)
    found = duality_gap(model, ONES, optimizers=sgd(model), **TRAINING)
    here = 9 + 12 - 16
    worst = {"p0": -4 - 16, "p1": 9 + 9 / 4}
    np.testing.assert_allclose(
        list(found.gains.values()),
        [here - worst["p0"], worst["p1"] - here],
        atol=CONVERGED,
    )
    np.testing.assert_allclose(
        found.gap, worst["p1"] - worst["p0"], atol=CONVERGED
    )
    np.testing.assert_allclose(
        found.exploitability, found.gap / 2, atol=CONVERGED
    )
    assert found.constant_sum
    assert str(found).startswith("duality gap 31.25 after 400 steps")


def test_three_players_have_the_exact_nash_conv(quadratic, playing, float64):
    game = quadratic([2, 3, 1])
    for i in range(3):
        a, b = game.edges[i : i + 2]
        game.matrices[i, a:b, a:b] = 3 * np.eye(b - a)
    model = playing(game)
    found = duality_gap(model, ONES, optimizers=sgd(model), **TRAINING)
    gains = []
    for i in range(3):
        a, b = game.edges[i : i + 2]
        best = game.start.copy()
        best[a:b] -= game.gradient(i, game.start) / 3
        gains.append(game.values(game.start)[i] - game.values(best)[i])
        np.testing.assert_allclose(
            list(found.responses[f"p{i}"].values()),
            game.values(best),
            atol=CONVERGED,
        )
    np.testing.assert_allclose(
        list(found.gains.values()), gains, atol=CONVERGED
    )
    np.testing.assert_allclose(found.gap, sum(gains), atol=CONVERGED)
    assert not found.constant_sum
    assert str(found).startswith("NashConv")


@pytest.mark.parametrize(("perturbation", "gains"), [(0.0, False), (0.1, True)])
def test_only_a_shaken_start_leaves_a_false_equilibrium(
    linear, playing, float64, perturbation, gains
):
    """M = -x^2 / 2 is at rest in 0, where x has its worst place."""
    game = linear([[-1.0, 0.0], [0.0, 1.0]])
    game.start = np.zeros(2)
    model = playing(game)
    found = duality_gap(
        model,
        ONES,
        steps=20,
        perturbation=perturbation,
        optimizers=sgd(model, 0.5),
    )
    assert (found.gains["p0"] > 1) == gains
    assert (found.gap == 0) == (not gains)
    assert ("perturbed by 0.1" in str(found)) == gains


@pytest.fixture
def guesses():
    """Two players; each owns a number, and guesses the mean of its target."""
    x = keras.Input((1,))
    layers = [keras.layers.Dense(1, use_bias=False) for _ in range(2)]
    model = adversarial.AdversarialModel(
        player_models=[keras.Model(x, layer(x)) for layer in layers],
        player_params=layers,
        player_names=["a", "b"],
    )
    model.compile("simultaneous", sgd(model, 0.2), "mse")
    for layer in layers:
        layer.kernel.assign([[0.0]])
    return model


def test_players_train_on_one_split_and_are_measured_on_the_other(guesses):
    rng = np.random.default_rng(0)
    train = rng.normal(2.0, size=(2, 16, 1)).astype("float32")
    test = rng.normal(1.0, size=(2, 5, 1)).astype("float32")
    found = duality_gap(
        guesses,
        np.ones((16, 1)),
        list(train),
        validation_data=(np.ones((5, 1)), list(test)),
        steps=100,
        batch_size=16,
    )
    for i, name in enumerate("ab"):
        guess = train[i].mean()
        expected = np.mean(test[i] ** 2) - np.mean((test[i] - guess) ** 2)
        np.testing.assert_allclose(found.gains[name], expected, rtol=1e-4)
        np.testing.assert_allclose(
            found.curves[name][[0, -1]],
            [np.mean(train[i] ** 2), np.var(train[i])],
            rtol=1e-4,
        )


def test_a_split_is_drawn_at_random_and_uses_every_sample(guesses):
    y = np.arange(20.0, dtype="float32")[:, None]
    weights = np.ones(20)
    data = (np.ones((20, 1)), [y, y], weights)
    kwargs = {"validation_split": 0.25, "steps": 1, "batch_size": 15}
    found = [duality_gap(guesses, *data, seed=s, **kwargs) for s in (0, 0, 1)]
    assert found[0].losses == found[1].losses != found[2].losses
    for gap in found:
        whole = 5 * gap.losses["a"] + 15 * gap.curves["a"][0]
        np.testing.assert_allclose(whole, np.sum(y**2), rtol=1e-5)


def test_sample_weights_count(guesses):
    y = np.array([[1.0], [3.0]] * 4, "float32")
    only_ones = np.array([1.0, 0.0] * 4)
    found = duality_gap(
        guesses,
        np.ones((8, 1)),
        [y, y],
        only_ones,
        validation_data=(np.ones((8, 1)), [y, y], only_ones),
        steps=1,
    )
    assert found.losses == {"a": 0.5, "b": 0.5}


def test_a_gan_is_left_alone_and_measured_with_common_noise(
    trained_gan, gan_batch, untouched
):
    """Without learning, dropout and latents are all that could differ."""
    still = sgd(trained_gan, 0.0)
    with untouched(trained_gan):
        found = duality_gap(
            trained_gan, *gan_batch, steps=3, batch_size=4, optimizers=still
        )
    assert found.gains == {"generator": 0.0, "discriminator": 0.0}
    assert len(set(found.curves["generator"])) == 3


def test_the_players_own_optimizers_are_copied_afresh(quadratic, float64):
    game = quadratic([2, 1])
    found = []
    for warm in (0, 5):
        model = game.compiled("simultaneous", "adam")
        game.play(model, warm)
        game.place(model, game.start)
        found.append(duality_gap(model, ONES, steps=5, batch_size=4))
    assert found[0].gains == found[1].gains
    adam = duality_gap(
        model, ONES, steps=5, batch_size=4, optimizers=sgd(model)
    )
    assert adam.gains != found[0].gains


def test_a_loss_scale_is_looked_through(small_gan, gan_batch):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_gan()
        model.compile(
            "simultaneous", "sgd", keras.losses.BinaryCrossentropy(True)
        )
        found = duality_gap(model, *gan_batch, steps=5, batch_size=8)
    finally:
        keras.config.set_dtype_policy("float32")
    for name, curve in found.curves.items():
        assert np.isfinite(curve).all()
        # Plain SGD of 0.01 hardly moves; with a gradient times 32768 it would.
        assert 0 < abs(found.gains[name]) < 0.1


def made(gains, perturbation=0.0):
    return DualityGap(
        losses=dict.fromkeys(gains, 1.0),
        responses={n: {m: 1.0 - g for m in gains} for n, g in gains.items()},
        curves={n: np.zeros(7) for n in gains},
        perturbation=perturbation,
    )


def test_a_gap_reads_as_a_table():
    lines = str(made({"g": 0.5, "critic": 0.25})).splitlines()
    assert lines[0] == "NashConv 0.75 after 7 steps of each player"
    assert lines[1].split() == ["player", "loss", "trained", "gain"]
    assert lines[2].split() == ["g", "1", "0.5", "0.5"]
    assert len(lines) == 4


def test_bad_estimates_are_called_so():
    assert "Training made g worse" in str(made({"g": -0.5, "critic": 0.25}))
    assert "diverged" in str(made({"g": np.nan, "critic": 0.25}))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"perturbation": -1.0}, "`perturbation` must be 0 or positive"),
        ({"validation_split": 1.0}, "`validation_split` must be between"),
        ({"validation_split": 0.01}, "samples to train on and others"),
        ({"y": [np.ones((3, 1))] * 2}, r"same number of samples.*\n.*3, 8"),
        ({"optimizers": ["sgd"]}, "one optimizer per player"),
    ],
)
def test_wrong_arguments_are_refused(bilinear, playing, arguments, match):
    with pytest.raises(ValueError, match=match):
        duality_gap(playing(bilinear), ONES, **arguments)
