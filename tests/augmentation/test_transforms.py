import math

import keras
import numpy as np
import pytest

from adversarial.augmentation.dice import Dice
from adversarial.augmentation.pipeline import draw_transforms
from adversarial.augmentation.transforms import (
    COLORS,
    SOURCES,
    TRANSFORMS,
    color_of,
    known_transforms,
    source_of,
    transforms_of,
)

N = 20_000
SLACK = 5.0
"""Standard errors by which a frequency or a moment of N draws may be off. The
seed is fixed, and what is seen is within 3."""
WIDTH, HEIGHT = 40, 24
ALL = list(TRANSFORMS)


def draw(names, p, seed=1):
    seeds = keras.random.SeedGenerator(seed)
    dice = Dice(seeds, (N, HEIGHT, WIDTH, 1), "float64")
    names = [name for name in names if name != "noise"]
    found = draw_transforms(names, dice, p)
    return {name: np.asarray(x) for name, x in found.items()}


def close(found, expected, deviation):
    """Says whether a mean of N numbers of this deviation fits."""
    return abs(found - expected) < SLACK * deviation / math.sqrt(N)


def made(drawn, name):
    return (drawn[name] != TRANSFORMS[name].neutral).any(axis=1)


# The chance that a transform, made with p, is not neutral.
SEEN = {"x_flip": 1 / 2, "rotate90": 3 / 4, "luma_flip": 1 / 2}


@pytest.mark.parametrize("p", [0.3, 0.8])
def test_each_transform_is_made_with_probability_p(p):
    drawn = draw(ALL, p)
    for name in drawn:
        chance = SEEN.get(name, 1.0) * p
        if name.startswith("rotation"):
            chance = 1 - math.sqrt(1 - p)
        if name == "integer_translation":
            # 9 steps each way across, of which the outer ones have half
            # the chance: 0 has 1/10 and 1/6.
            chance = p * (1 - 1 / 10 * 1 / 6)
        found = made(drawn, name).mean()
        assert close(found, chance, math.sqrt(chance * (1 - chance))), name


def test_one_rotation_at_least_has_probability_p():
    drawn = draw(["rotation_before", "rotation_after"], 0.6)
    either = made(drawn, "rotation_before") | made(drawn, "rotation_after")
    assert close(either.mean(), 0.6, math.sqrt(0.24))


def test_transforms_are_drawn_one_by_one():
    p = 0.5
    drawn = draw(ALL, p)
    flags = np.array([made(drawn, name) for name in drawn], "float64")
    pairs = np.corrcoef(flags) - np.eye(len(flags))
    assert np.abs(pairs).max() < SLACK / math.sqrt(N)


def test_nothing_is_made_at_0_and_everything_at_1():
    nothing, everything = draw(ALL, 0.0), draw(ALL, 1.0)
    for name in nothing:
        assert not made(nothing, name).any()
        assert made(everything, name).mean() >= SEEN.get(name, 0.9) - 0.02


def test_factors_are_powers_of_2_of_normal_numbers():
    deviations = {
        "isotropic_scaling": 0.2,
        "anisotropic_scaling": 0.2,
        "contrast": 0.5,
        "saturation": 1.0,
    }
    drawn = draw(deviations, 1.0)
    for name, deviation in deviations.items():
        normal(np.log2(drawn[name]), deviation)


def normal(x, deviation):
    """Checks the first four moments."""
    assert close(x.mean(), 0.0, deviation)
    assert close((x**2).mean(), deviation**2, math.sqrt(2) * deviation**2)
    assert close((x**4).mean(), 3 * deviation**4, math.sqrt(96) * deviation**4)


def test_brightness_and_fractions_of_translations_are_normal():
    drawn = draw(["brightness", "fractional_translation"], 1.0)
    normal(drawn["brightness"], 0.2)
    normal(drawn["fractional_translation"][:, 0] / WIDTH, 0.125)
    normal(drawn["fractional_translation"][:, 1] / HEIGHT, 0.125)


def test_angles_are_uniform_all_around():
    drawn = draw(["rotation_before", "rotation_after", "hue"], 1.0)
    for angle in drawn.values():
        assert -math.pi <= angle.min() < -3.13 < 3.13 < angle.max() < math.pi
        for k in (1, 2):
            assert close(np.cos(k * angle).mean(), 0.0, math.sqrt(0.5))
            assert close(np.sin(k * angle).mean(), 0.0, math.sqrt(0.5))


def test_whole_translations_go_an_eighth_of_the_size():
    found = draw(["integer_translation"], 1.0)["integer_translation"]
    for column, most in ((found[:, 0], WIDTH // 8), (found[:, 1], HEIGHT // 8)):
        np.testing.assert_array_equal(
            np.unique(column), np.arange(-most, most + 1)
        )


def test_flips_and_turns_are_equally_likely():
    drawn = draw(["x_flip", "rotate90", "luma_flip"], 1.0)
    for name, count in (("x_flip", 2), ("rotate90", 4), ("luma_flip", 2)):
        times = np.bincount(drawn[name].ravel().astype(int), minlength=count)
        chance = 1 / count
        for share in times / N:
            assert close(share, chance, math.sqrt(chance * (1 - chance)))


def test_centers_of_holes_are_anywhere_in_the_image():
    found = draw(["cutout"], 1.0)["cutout"]
    assert 0 <= found.min() < 1e-3 and 1 - 1e-3 < found.max() < 1
    assert close(found[:, 0].mean(), 0.5, math.sqrt(1 / 12))


def test_neutral_values_give_exactly_the_identity():
    neutral = {
        name: np.full((3, t.columns), t.neutral, "float32")
        for name, t in TRANSFORMS.items()
    }
    for found, k in ((source_of(neutral), 2), (color_of(neutral), 3)):
        linear = np.broadcast_to(np.eye(k), (3, k, k))
        np.testing.assert_array_equal(found.linear, linear)
        np.testing.assert_array_equal(found.offset, np.zeros((3, k)))


def test_nothing_to_do_is_none():
    assert source_of({"hue": 0.0}) is None
    assert color_of({"x_flip": 0.0}) is None


def test_words_stand_for_transforms_in_the_order_of_the_table():
    assert transforms_of(["color", "x_flip"]) == ["x_flip", *COLORS]
    assert transforms_of(["geometry", "blit"]) == list(SOURCES)
    assert transforms_of(["rotation"]) == ["rotation_before", "rotation_after"]
    assert transforms_of(["hue", "color"]) == list(COLORS)
    assert transforms_of(["corruption"]) == ["noise", "cutout"]
    groups = ["blit", "geometry", "color", "corruption"]
    assert transforms_of(groups) == ALL


def test_words_come_back_as_they_are():
    assert known_transforms(["color", "x_flip"]) == ("color", "x_flip")
    assert known_transforms("hue") == ("hue",)


def test_unknown_transforms_get_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'x_flip'"):
        known_transforms(["xflip"])
    with pytest.raises(ValueError, match="did you mean 'geometry'"):
        known_transforms("geometric")
    with pytest.raises(ValueError, match="must be a transform"):
        known_transforms([])
