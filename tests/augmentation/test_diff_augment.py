import keras
import numpy as np
import pytest
from engines import array, compiled, tensor

from adversarial.augmentation import DiffAugment

RNG = np.random.default_rng(0)
EXACT = 1e-12
"""A few operations in double precision on numbers of the order of 1."""
FLOAT32 = 1e-5
"""The same in single precision."""
SLACK = 5.0
"""Standard errors by which a moment may be off. The seed is fixed, and the
moments seen are within 2."""
MANY = 20_000
SIZES = [(8, 8, 3), (9, 6, 3), (7, 11, 1), (16, 5, 4)]
each_size = pytest.mark.parametrize("size", SIZES, ids=str)


def images_of(size, n=6):
    return RNG.uniform(-1, 1, (n, *size))


def row(parameters, n):
    return {name: np.asarray(x)[n] for name, x in parameters.items()}


def colored(x, drawn, half=1.0):
    """The formula, for one image."""
    x = x + drawn["brightness"] * half
    grey = x.mean(axis=2, keepdims=True)
    x = grey + drawn["saturation"] * (x - grey)
    return x.mean() + drawn["contrast"] * (x - x.mean())


def translated(x, drawn, fill=0.0):
    down, right = drawn["translation"].astype(int)
    found = np.full_like(x, fill)
    for i, j in np.ndindex(x.shape[:2]):
        if 0 <= i - down < x.shape[0] and 0 <= j - right < x.shape[1]:
            found[i, j] = x[i - down, j - right]
    return found


def cut(x, drawn, ratio=0.5, fill=0.0):
    """As the authors do it: a window of places, clipped to the image."""
    found = x.copy()
    axes = []
    for n, center in zip(x.shape, drawn["cutout"].astype(int), strict=False):
        side = int(n * ratio + 0.5)
        axes.append(np.clip(center - side // 2 + np.arange(side), 0, n - 1))
    found[np.ix_(*axes)] = fill
    return found


CHANGES = {"color": colored, "translation": translated, "cutout": cut}


@each_size
@pytest.mark.parametrize("word", list(CHANGES))
def test_each_image_is_changed_by_the_formula(word, size):
    layer, images = DiffAugment([word], seed=1), images_of(size)
    for _ in range(5):
        drawn = layer.draw(images)
        found = layer.apply(images, drawn)
        for n, image in enumerate(images):
            expected = CHANGES[word](image, row(drawn, n))
            np.testing.assert_allclose(found[n], expected, atol=EXACT)


@pytest.mark.parametrize(
    "policy",
    [("color", "translation", "cutout"), ("cutout", "translation", "color")],
)
def test_the_order_is_that_of_the_policy(policy):
    layer, images = DiffAugment(policy, seed=1), images_of((9, 6, 3))
    drawn = layer.draw(images)
    found = layer.apply(images, drawn)
    for n, expected in enumerate(images):
        for word in policy:
            expected = CHANGES[word](expected, row(drawn, n))
        np.testing.assert_allclose(found[n], expected, atol=EXACT)


def test_a_call_in_training_is_a_draw_and_its_application():
    layer, same = DiffAugment(seed=1), DiffAugment(seed=1)
    images = images_of((8, 8, 3)).astype("float32")
    found = layer(images, training=True)
    drawn = same.draw(images)
    np.testing.assert_array_equal(found, same.apply(images, drawn))
    for n, expected in enumerate(images.astype("float64")):
        for word in CHANGES:
            expected = CHANGES[word](expected, row(drawn, n))
        np.testing.assert_allclose(found[n], expected, atol=FLOAT32)


def test_another_range_is_another_scale():
    layer = DiffAugment(seed=1)
    other = DiffAugment(seed=1, value_range=(0, 255))
    images = images_of((8, 8, 3))
    drawn = layer.draw(images)
    expected = layer.apply(images, drawn)
    found = other.apply((images + 1) * 127.5, drawn)
    np.testing.assert_allclose(found / 127.5 - 1, expected, atol=EXACT)


def test_holes_and_gaps_are_grey_in_the_middle_of_the_range():
    layer = DiffAugment("translation,cutout", value_range=(0, 1), seed=1)
    ones = np.ones((50, 8, 8, 1), "float32")
    found = array(layer(ones, training=True))
    np.testing.assert_array_equal(np.unique(found), [0.5, 1.0])


def test_grey_images_have_no_saturation():
    layer, images = DiffAugment("color", seed=1), images_of((8, 8, 1))
    drawn = layer.draw(images)
    found = layer.apply(images, {"saturation": drawn["saturation"]})
    np.testing.assert_array_equal(found, images)


def test_colors_are_drawn_uniformly():
    drawn = DiffAugment("color", seed=1).draw(np.zeros((MANY, 1, 1, 3)))
    for name, low, high in (
        ("brightness", -0.5, 0.5),
        ("saturation", 0.0, 2.0),
        ("contrast", 0.5, 1.5),
    ):
        u = (np.asarray(drawn[name]) - low) / (high - low)
        assert u.shape == (MANY, 1)
        assert 0 <= u.min() < 1e-3 and 1 - 1e-3 < u.max() < 1
        assert abs(u.mean() - 1 / 2) < SLACK / np.sqrt(12 * MANY)
        assert abs((u**2).mean() - 1 / 3) < SLACK * np.sqrt(4 / 45 / MANY)
    pairs = np.corrcoef([np.ravel(x) for x in drawn.values()])
    assert np.abs(pairs - np.eye(3)).max() < SLACK / np.sqrt(MANY)


def frequencies_are_equal(numbers, values):
    found, times = np.unique(numbers, return_counts=True)
    np.testing.assert_array_equal(found, values)
    expected = len(numbers) / len(values)
    surplus = ((times - expected) ** 2 / expected).sum() - (len(values) - 1)
    assert abs(surplus) <= SLACK * np.sqrt(2 * (len(values) - 1))


@pytest.mark.parametrize(
    ("size", "most"), [((32, 28), (4, 4)), ((8, 3), (1, 0)), ((11, 12), (1, 2))]
)
def test_translations_are_equally_likely_up_to_the_ratio(size, most):
    # 28/8 and 12/8 are halves, which are rounded up.
    drawn = DiffAugment("translation", seed=1).draw(np.zeros((MANY, *size, 1)))
    found = np.asarray(drawn["translation"])
    for axis in (0, 1):
        values = np.arange(-most[axis], most[axis] + 1)
        frequencies_are_equal(found[:, axis], values)


@pytest.mark.parametrize(("size", "even"), [((8, 5), (1, 0)), ((7, 9), (1, 0))])
def test_holes_are_equally_likely_wherever_they_begin(size, even):
    # Sides: of 8 it is 4, of 5 it is 3, of 7 it is 4, of 9 it is 5.
    drawn = DiffAugment("cutout", seed=1).draw(np.zeros((MANY, *size, 1)))
    found = np.asarray(drawn["cutout"])
    for axis in (0, 1):
        frequencies_are_equal(
            found[:, axis], np.arange(size[axis] + even[axis])
        )


def test_the_ratios_bound_what_is_drawn():
    zeros = np.zeros((500, 10, 10, 1))
    layer = DiffAugment(translation_ratio=0.0, cutout_ratio=0.2, seed=1)
    drawn = layer.draw(zeros)
    assert (np.asarray(drawn["translation"]) == 0).all()
    only = {"cutout": drawn["cutout"]}
    holes = (np.asarray(layer.apply(zeros + 1, only)) == 0).sum(axis=(1, 2, 3))
    assert holes.max() == 4
    everything = DiffAugment(translation_ratio=1.0, seed=1).draw(zeros)
    assert np.abs(array(everything["translation"])).max() == 10


@pytest.mark.parametrize("jit", [False, True])
def test_derivatives_are_those_of_central_differences(jit, check_derivatives):
    layer, images = DiffAugment(seed=1), images_of((6, 5, 3), 3)
    drawn = layer.draw(images)
    check_derivatives(lambda x: layer.apply(x, drawn), images, jit)


def test_it_runs_compiled():
    layer = DiffAugment(seed=1)
    layer.build((None, 9, 6, 3))
    call = compiled(
        lambda x: layer(x, training=True), True, writes=layer.variables
    )
    images = tensor(images_of((9, 6, 3)), "float32")
    first, second = (array(call(images)) for _ in range(2))
    assert first.shape == images.shape
    assert not np.array_equal(first, second)
    assert np.isfinite(first).all()


def test_a_config_remakes_the_layer(remade):
    copy = remade(
        DiffAugment(
            "cutout, color",
            translation_ratio=0.2,
            cutout_ratio=0.3,
            value_range=(0, 1),
            seed=3,
        )
    )
    assert copy.policy == ("cutout", "color")
    assert (copy.translation_ratio, copy.cutout_ratio) == (0.2, 0.3)
    images = images_of((8, 8, 3))
    again = DiffAugment("cutout, color", cutout_ratio=0.3, value_range=(0, 1))
    drawn = copy.draw(images)
    np.testing.assert_array_equal(
        copy.apply(images, drawn), again.apply(images, drawn)
    )


def test_a_keras_model_saves_and_loads_it(tmp_path):
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, DiffAugment(cutout_ratio=0.25, seed=1)(x))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    images = images_of((8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(
        copy(images, training=True), model(images, training=True)
    )


def test_unknown_words_get_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'color'"):
        DiffAugment("colour,cutout")
    with pytest.raises(ValueError, match="did you mean 'translation'"):
        DiffAugment(["translations"])


def test_a_policy_has_words_each_once():
    with pytest.raises(
        ValueError, match="one word or more, each once"
    ) as error:
        DiffAugment(())
    assert "leave the layer out" in str(error.value)
    with pytest.raises(ValueError, match="each once"):
        DiffAugment("color,color")


@pytest.mark.parametrize("name", ["translation_ratio", "cutout_ratio"])
def test_ratios_out_of_range_are_refused(name):
    for wrong in (-0.1, 1.5, "1/8"):
        with pytest.raises(ValueError, match=f"`{name}` must be a number"):
            DiffAugment(**{name: wrong})
