import keras
import numpy as np
import pytest
from engines import recorded

import adversarial
from adversarial import diagnostics
from adversarial.callbacks import GameDiagnostics
from adversarial.games.quadratic import of_scalars

ONE = np.ones((1, 1))
TWENTY = np.ones((20, 1))
LOGS = {"p0_gradient_norm", "p1_gradient_norm", "gradient_norm", "rotation"}


@pytest.fixture
def game(quadratic):
    return quadratic([2, 1], "float32")


@pytest.fixture
def playing(game):
    def made():
        model = game.compiled("simultaneous", "sgd", run_eagerly=True)
        return model

    return made


def fitted(model, callback, epochs=2, **kwargs):
    return model.fit(
        TWENTY,
        batch_size=2,
        epochs=epochs,
        verbose=0,
        callbacks=[callback],
        **kwargs,
    ).history


def test_epochs_log_the_means_of_their_looks(playing):
    looks = GameDiagnostics(ONE, every=4)
    history = fitted(playing(), looks)
    assert looks.steps == [4, 8, 12, 16, 20]
    assert set(looks.history) == LOGS == set(history) & LOGS
    for name in LOGS:
        seen = looks.history[name]
        expected = [np.mean(seen[:2]), np.mean(seen[2:])]
        np.testing.assert_allclose(history[name], expected)


def test_a_look_is_that_of_the_diagnostics(playing, game):
    model, looks = playing(), GameDiagnostics(ONE, every=20)
    fitted(model, looks)
    seen = diagnostics.rotation(model, ONE)
    assert looks.steps == [10, 20]
    last = {name: values[-1] for name, values in looks.history.items()}
    assert last == {
        "p0_gradient_norm": seen.gradient.norms["p0"],
        "p1_gradient_norm": seen.gradient.norms["p1"],
        "gradient_norm": seen.gradient.total,
        "rotation": seen.fraction,
    }
    field = game.field(game.point(model))
    np.testing.assert_allclose(
        last["gradient_norm"], np.linalg.norm(field), rtol=1e-5
    )


def test_an_epoch_without_a_look_has_one_at_its_end(playing):
    looks = GameDiagnostics(ONE, every=25)
    history = fitted(playing(), looks, epochs=3)
    assert looks.steps == [10, 20, 25]
    assert len(history["rotation"]) == 3


def test_looks_wait_for_the_end_of_an_execution(game):
    model, looks = game.model(), GameDiagnostics(ONE, every=3)
    model.compile(
        "simultaneous",
        "sgd",
        game.loss(),
        jit_compile=False,
        steps_per_execution=5,
    )
    fitted(model, looks)
    assert looks.steps == [5, 10, 15, 20]


def test_steps_are_counted_on_when_training_goes_on(playing):
    model, looks = playing(), GameDiagnostics(ONE, every=10)
    fitted(model, looks, epochs=1)
    fitted(model, looks, epochs=1)
    assert looks.steps == [10, 20]


def tiny_gan():
    """With latents, dropout and moving statistics."""
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(1), layers.BatchNormalization()]
    )
    critic = keras.Sequential(
        [keras.Input((1,)), layers.Dropout(0.5, seed=5), layers.Dense(1)]
    )
    latent = adversarial.layers.NormalLatent(2, seed=7)
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, critic, latent),
        player_params={"generator": generator, "critic": critic},
    )
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("alternating", "adam", bce, jit_compile=False)
    return model


def test_training_is_not_changed_by_looking():
    """Weights, moving statistics, random states, moments and metrics."""
    x = np.random.default_rng(3).normal(1, size=(16, 1)).astype("float32")
    y = adversarial.builders.gan_targets(16)
    found = []
    for looks in ([], [GameDiagnostics((x, y), every=1)]):
        keras.utils.set_random_seed(0)
        model = tiny_gan()
        history = model.fit(
            x, y, batch_size=8, verbose=0, callbacks=looks, shuffle=False
        ).history
        state = [*model.variables, *model.optimizer.variables]
        found.append([np.array(v) for v in state])
        found[-1] += [np.array(history[f"{n}_loss"]) for n in model.players]
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_eigenvalues_are_found_if_asked_for(linear_rest):
    looks = GameDiagnostics(ONE, every=10, eigenvalues=2)
    fitted(linear_rest([[3.0, 4.0], [-4.0, 3.0]]), looks, epochs=1)
    seen = {name: values[0] for name, values in looks.history.items()}
    np.testing.assert_allclose(seen["largest_eigenvalue"], 5, rtol=1e-5)
    np.testing.assert_allclose(seen["smallest_real_part"], 3, rtol=1e-5)
    np.testing.assert_allclose(seen["largest_step"], 6 / 25, rtol=1e-5)
    looks = GameDiagnostics(ONE, every=10, eigenvalues=2)
    history = fitted(linear_rest([[0.0, 1.0], [-1.0, 0.0]]), looks, epochs=1)
    assert history["largest_step"] == [0.0]


@pytest.fixture
def linear_rest(quadratic):
    def made(jacobian):
        game = quadratic([1, 1], "float32")
        game.matrices = of_scalars(np.array(jacobian))
        game.vectors = np.zeros((2, 2))
        model = game.compiled("simultaneous", "sgd", run_eagerly=True)
        return model

    return made


def test_a_function_gives_other_batches(playing):
    sizes = iter([1, 2])

    def batch():
        return (np.ones((next(sizes), 1)), None)

    looks = GameDiagnostics(batch, every=10)
    fitted(playing(), looks)
    assert next(sizes, None) is None
    assert len(looks.steps) == 2


def written(folder):
    """What stands in the event files of a folder, by name and step."""
    found = {}
    for event, value, number in recorded(folder):
        assert value.metadata.plugin_data.plugin_name == "scalars"
        found[value.tag, event.step] = float(number)
    return found


def test_looks_are_written_for_tensorboard(playing, tmp_path):
    model = playing()
    looks = GameDiagnostics(ONE, every=5, log_dir=tmp_path)
    fitted(model, looks, epochs=1)
    fitted(model, looks, epochs=1)
    found = written(tmp_path / "diagnostics")
    assert {step for _, step in found} == {5, 10, 15, 20}
    assert {name for name, _ in found} == LOGS
    for i, step in enumerate(looks.steps):
        for name in LOGS:
            expected = np.float32(looks.history[name][i])
            assert found[name, step] == expected


@pytest.mark.parametrize(
    "arguments", [{"every": 0}, {"eigenvalues": -1}], ids=["every", "few"]
)
def test_numbers_that_make_no_sense_are_refused(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        GameDiagnostics(ONE, **arguments)
