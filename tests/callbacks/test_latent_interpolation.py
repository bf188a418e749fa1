import itertools

import keras
import numpy as np
import pytest
from engines import picture, recorded
from PIL import Image

import adversarial
from adversarial.callbacks import LatentInterpolation
from adversarial.callbacks.image_grid import grid
from adversarial.callbacks.latent_interpolation import linear, slerp

layers = keras.layers
DOUBLE = 1e-12
"""A few operations in float64 on numbers of order 1."""
SINGLE = 1e-6
"""The latents are rounded to float32."""


def unit(*degrees):
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).squeeze()


def angle_between(a, b):
    """Another formula than the code's."""
    cosine = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
    return np.arccos(np.clip(cosine, -1, 1))


@pytest.mark.parametrize("walk", [linear, slerp])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (1,)])
def test_a_walk_begins_and_ends_at_its_latents(walk, shape):
    a, b = np.random.default_rng(0).normal(size=(2, *shape))
    points = walk(a, b, 5)
    assert points.shape == (5, *shape)
    np.testing.assert_allclose(points[0], a, atol=DOUBLE)
    np.testing.assert_allclose(points[-1], b, atol=DOUBLE)


def test_on_a_line_the_steps_are_equal():
    a, b = np.array([0.0, 4.0]), np.array([2.0, 0.0])
    np.testing.assert_allclose(
        linear(a, b, 3), [[0, 4], [1, 2], [2, 0]], atol=DOUBLE
    )


def test_on_the_circle_the_steps_are_equal_angles():
    points = slerp(unit(10.0), unit(100.0), 4)
    np.testing.assert_allclose(points, unit(10, 40, 70, 100), atol=DOUBLE)


def test_in_many_dimensions_lengths_stay_and_angles_are_equal():
    a, b = np.random.default_rng(1).normal(size=(2, 64))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    points = slerp(a, b, 6)
    np.testing.assert_allclose(
        np.linalg.norm(points, axis=1), np.linalg.norm(a), rtol=DOUBLE
    )
    whole = angle_between(a, b)
    for p, q in itertools.pairwise(points):
        assert abs(angle_between(p, q) - whole / 5) < 1e-7  # of the arc cosine
    # What slerp is for: the straight walk is short in its middle.
    middle = linear(a, b, 3)[1]
    expected = np.linalg.norm(a) * np.cos(whole / 2)
    np.testing.assert_allclose(np.linalg.norm(middle), expected, rtol=DOUBLE)


def test_lengths_that_differ_are_those_of_the_ends():
    points = slerp(3 * unit(0.0), 5 * unit(90.0), 3)
    np.testing.assert_allclose(points[1], [3, 5] * unit(45.0), atol=DOUBLE)


@pytest.mark.parametrize("degrees", [0.0, 1e-12, 1e-7, 1e-5, 1e-3])
def test_latents_that_are_nearly_parallel_have_a_straight_walk(degrees):
    a, b = unit(30.0), unit(30.0 + degrees)
    points = slerp(a, b, 5)
    # An arc of w is off its chord by w^2 / 8 at most.
    bound = np.deg2rad(degrees) ** 2 / 8 + DOUBLE
    np.testing.assert_allclose(points, linear(a, b, 5), atol=bound)


@pytest.mark.parametrize("b", [-2 * unit(30.0), np.zeros(2)])
def test_latents_without_an_arc_have_a_straight_walk(b):
    a = unit(30.0)
    np.testing.assert_array_equal(slerp(a, b, 5), linear(a, b, 5))


def as_images(z):
    return np.asarray(z).reshape(-1, 2, 3, 1)


def walks(path="a.png", generate=as_images, **kwargs):
    given = {"latent": 6, "rows": 3, "columns": 4, **kwargs}
    return LatentInterpolation(path, generate, **given)


@pytest.mark.parametrize("kind", ["slerp", "linear"])
def test_every_row_walks_between_two_latents_of_its_own(kind):
    z = walks(kind=kind).latents()
    assert z.dtype == np.float32
    assert z.shape == (12, 6)
    rows = z.reshape(3, 4, 6)
    walk = {"slerp": slerp, "linear": linear}[kind]
    for row in rows:
        points = walk(row[0].astype(float), row[-1].astype(float), 4)
        np.testing.assert_allclose(row, points, atol=SINGLE)
    ends = rows[:, [0, -1]].reshape(6, 6)
    assert len(np.unique(ends, axis=0)) == 6


def test_more_rows_and_columns_keep_the_ends():
    few = walks().latents().reshape(3, 4, 6)
    many = walks(rows=5, columns=9).latents().reshape(5, 9, 6)
    np.testing.assert_array_equal(few[:, [0, -1]], many[:3, [0, -1]])


def test_another_seed_has_other_latents():
    assert np.all(walks().latents() != walks(seed=1).latents())


@keras.saving.register_keras_serializable(package=__name__)
class Noise(layers.Layer):
    """Noise in inference mode, too, which moves the random state."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator(11)

    def call(self, x):
        shape = keras.ops.shape(x)
        return x + keras.random.normal(shape, seed=self.draws)


def image_gan():
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(6, "sigmoid"),
            layers.BatchNormalization(),
            Noise(),
            layers.Reshape((2, 3, 1)),
        ],
        name="generator",
    )
    critic = keras.Sequential(
        [
            keras.Input((2, 3, 1)),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, critic),
        player_params={"generator": generator, "discriminator": critic},
    )
    model.compile("alternating", "sgd", "non_saturating", run_eagerly=True)
    return model, generator


def fit(model, callbacks, epochs=3):
    x = np.random.default_rng(0).uniform(size=(8, 2, 3, 1)).astype("float32")
    model.fit(
        x,
        batch_size=4,
        shuffle=False,
        epochs=epochs,
        verbose=0,
        callbacks=callbacks,
    )


def test_pictures_are_those_of_the_generator_and_training_is_unchanged(
    tmp_path,
):
    model, generator = image_gan()
    callback = LatentInterpolation(
        tmp_path / "{}.png", generator, rows=2, columns=3, every=2
    )
    fit(model, [callback])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.png", "2.png"]
    state = [np.array(v) for v in model.whole_state()]
    images = callback.images()
    assert images.shape == (2, 3, 2, 3, 1)
    np.testing.assert_array_equal(images, callback.images())
    with Image.open(tmp_path / "2.png") as picture:
        np.testing.assert_array_equal(
            np.asarray(picture), grid(images, (0.0, 1.0))
        )
    other, _ = image_gan()
    fit(other, [])
    for v, value in zip(other.whole_state(), state, strict=True):
        np.testing.assert_array_equal(v, value, err_msg=v.path)


def test_the_generator_is_called_in_inference_mode():
    model, generator = image_gan()
    callback = LatentInterpolation("a.png", generator, rows=1, columns=2)
    callback.set_model(model)
    before = [np.array(v) for v in generator.non_trainable_weights]
    callback.images()
    for v, value in zip(generator.non_trainable_weights, before, strict=True):
        np.testing.assert_array_equal(v, value)


def test_a_function_gets_the_latents_and_makes_the_images(tmp_path):
    model, _ = image_gan()
    callback = walks(
        None,
        lambda z: keras.ops.convert_to_tensor(as_images(z)),
        value_range=(-3.0, 3.0),
        log_dir=tmp_path,
    )
    fit(model, [callback], epochs=1)
    found = {
        (value.tag, event.step): picture(words[2])
        for event, value, words in recorded(tmp_path / "images")
    }
    expected = grid(callback.latents().reshape(3, 4, 2, 3, 1), (-3.0, 3.0))
    assert list(found) == [("interpolation", 2)]
    np.testing.assert_array_equal(found["interpolation", 2][..., 0], expected)


def test_latents_may_have_any_shape():
    assert walks(latent=(2, 3)).latents().shape == (12, 2, 3)
    _, generator = image_gan()
    assert LatentInterpolation("a.png", generator).latents().shape == (64, 3)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"kind": "cubic"}, "Unknown `kind`"),
        ({"rows": 0}, "`rows`"),
        ({"columns": 1}, "at least 2"),
        ({"latent": None}, "`latent` must say"),
        ({"latent": 0}, "`latent` must be"),
        ({"latent": (2, -1)}, "`latent` must be"),
        ({"seed": -1}, "`seed`"),
        ({"every": 0}, "`every`"),
        ({"path": None}, "written somewhere"),
    ],
)
def test_bad_arguments_are_errors(kwargs, match):
    with pytest.raises(ValueError, match=match):
        walks(**kwargs)


def test_what_makes_no_images_is_an_error():
    with pytest.raises(TypeError, match="must make samples"):
        walks(generate=3)


def test_another_number_of_images_is_an_error():
    model, _ = image_gan()
    callback = walks(generate=lambda z: as_images(z)[1:])
    callback.set_model(model)
    with pytest.raises(ValueError, match="an image for every latent") as error:
        callback.images()
    assert error.match("Expected: 12")
