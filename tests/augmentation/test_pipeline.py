import keras
import numpy as np
import pytest
from engines import array, dtype_of, tensor
from scipy import ndimage

from adversarial.augmentation.dice import Dice
from adversarial.augmentation.pipeline import draw_transforms, transformed
from adversarial.augmentation.transforms import TRANSFORMS

RNG = np.random.default_rng(0)
EXACT = 1e-12
"""A few dozen operations in double precision on numbers of the order of 1."""
FAR = 1e-9
"""The same where coordinates of the order of 100 are rounded."""
ALL = list(TRANSFORMS)
SIZES = [(8, 8, 3), (9, 6, 3), (7, 11, 1)]
each_size = pytest.mark.parametrize("size", SIZES, ids=str)


def images_of(size, n=6):
    return RNG.uniform(-1, 1, (n, *size))


def draw(images, p=1.0, names=ALL, seed=1):
    dice = Dice(keras.random.SeedGenerator(seed), images.shape, "float64")
    return draw_transforms(names, dice, p)


def only(drawn, *names):
    return {name: drawn[name] for name in names}


def row(drawn, n):
    return {name: array(x)[n] for name, x in drawn.items()}


def change(images, drawn, middle=0.0, half=1.0):
    return array(transformed(tensor(images), drawn, middle, half))


def test_flips_quarter_turns_and_whole_shifts_move_pixels_as_they_are():
    images = images_of((8, 8, 3), 40)
    drawn = draw(images)
    flipped = change(images, only(drawn, "x_flip"))
    turned = change(images, only(drawn, "rotate90"))
    moved = change(images, only(drawn, "integer_translation"))
    for n, image in enumerate(images):
        values = row(drawn, n)
        expected = image[:, ::-1] if values["x_flip"] else image
        np.testing.assert_array_equal(flipped[n], expected)
        expected = np.rot90(image, int(values["rotate90"].item()))
        np.testing.assert_array_equal(turned[n], expected)
        right, down = values["integer_translation"].astype(int)
        wide = np.pad(image, ((8, 8), (8, 8), (0, 0)), "reflect")
        expected = wide[8 - down : 16 - down, 8 - right : 16 - right]
        np.testing.assert_array_equal(moved[n], expected)


def forward(values):
    """What the geometric transforms do to a place (x, y, 1), x to the right
    and y down from the center, one after the other."""
    turn = np.pi / 2 * values["rotate90"].item()
    s, t = (values[f"{n}isotropic_scaling"].item() for n in ("", "an"))
    steps = [
        np.diag([1 - 2 * values["x_flip"].item(), 1, 1]),
        rotation(turn),
        shift(values["integer_translation"]),
        np.diag([s, s, 1]),
        rotation(values["rotation_before"].item()),
        np.diag([t, 1 / t, 1]),
        rotation(values["rotation_after"].item()),
        shift(values["fractional_translation"]),
    ]
    whole = np.eye(3)
    for step in steps:
        whole = step @ whole
    return whole


def rotation(angle):
    """Against the clock, as y points down."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def shift(offset):
    return np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1]])


@each_size
def test_all_geometry_is_one_warp_from_where_pixels_came(size):
    images = images_of(size)
    drawn = draw(images)
    geometry = {
        n: x
        for n, x in drawn.items()
        if n in TRANSFORMS and TRANSFORMS[n].group in ("blit", "geometry")
    }
    assert len(geometry) == 8
    found = change(images, geometry)
    height, width, channels = size
    y, x = np.mgrid[:height, :width]
    center = (width - 1) / 2, (height - 1) / 2
    places = np.stack([x - center[0], y - center[1], np.ones_like(x)])
    for n, image in enumerate(images):
        back = np.linalg.inv(forward(row(drawn, n)))
        at = np.einsum("ij,jhw->ihw", back, places)
        rows, columns = at[1] + center[1], at[0] + center[0]
        for c in range(channels):
            expected = ndimage.map_coordinates(
                image[..., c], [rows, columns], order=1, mode="mirror"
            )
            np.testing.assert_allclose(found[n, ..., c], expected, atol=FAR)


def colored(image, values):
    """Pixel by pixel, with red, green and blue as a vector."""
    luma = np.ones(3) / np.sqrt(3)
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)) + values["brightness"]
    rgb = rgb * values["contrast"]
    grey = (rgb @ luma)[..., None] * luma
    if values["luma_flip"]:
        rgb, grey = rgb - 2 * grey, -grey
    angle = values["hue"].item()
    color = rgb - grey
    color = np.cos(angle) * color + np.sin(angle) * np.cross(luma, color)
    rgb = grey + values["saturation"] * color
    if image.shape[-1] == 1:
        rgb = rgb.mean(axis=-1, keepdims=True)
    return rgb


COLORS = ("brightness", "contrast", "luma_flip", "hue", "saturation")


@each_size
def test_colors_are_changed_pixel_by_pixel(size):
    images = images_of(size, 20)
    drawn = draw(images)
    found = change(images, only(drawn, *COLORS))
    for n, image in enumerate(images):
        expected = colored(image, row(drawn, n))
        np.testing.assert_allclose(found[n], expected, atol=EXACT)


@each_size
def test_noise_is_added_and_a_hole_is_cut(size):
    images = images_of(size)
    drawn = draw(images)
    found = change(images, only(drawn, "noise", "noise_field", "cutout"))
    height, width, _ = size
    assert (np.asarray(drawn["noise"]) >= 0).all()
    for n, image in enumerate(images):
        values = row(drawn, n)
        expected = image + values["noise"] * values["noise_field"]
        across, down = values["cutout"]
        for i, j in np.ndindex(height, width):
            far = max(
                abs((i + 0.5) / height - down), abs((j + 0.5) / width - across)
            )
            if far < 0.25:
                expected[i, j] = 0
        np.testing.assert_allclose(found[n], expected, atol=EXACT)


def test_the_deviation_of_noise_is_half_normal():
    n = 20_000
    drawn = draw(np.zeros((n, 1, 1, 1)), 1.0, ["noise"])
    x = np.asarray(drawn["noise"]) / 0.1
    # 5 standard errors; the mean square is 1, and the mean sqrt(2 / pi).
    assert abs((x**2).mean() - 1) < 5 * np.sqrt(2 / n)
    mean = np.sqrt(2 / np.pi)
    assert abs(x.mean() - mean) < 5 * np.sqrt((1 - mean**2) / n)
    field = np.asarray(drawn["noise_field"])
    assert abs((field**2).mean() - 1) < 5 * np.sqrt(2 / n)


@each_size
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_pass_bit_for_bit_at_probability_0(size, dtype):
    images = images_of(size).astype(dtype)
    seeds = keras.random.SeedGenerator(1)
    drawn = draw_transforms(ALL, Dice(seeds, images.shape, dtype), 0.0)
    for middle, half in ((0.0, 1.0), (0.5, 0.5), (127.5, 127.5)):
        found = change(images, drawn, middle, half)
        assert dtype_of(found) == dtype
        np.testing.assert_array_equal(found, images)


def test_another_range_is_another_scale():
    images = images_of((8, 8, 3))
    drawn = draw(images)
    expected = change(images, drawn)
    found = change((images + 1) * 127.5, drawn, 127.5, 127.5)
    np.testing.assert_allclose(found / 127.5 - 1, expected, atol=EXACT)


def test_colors_need_colors():
    images = images_of((8, 8, 2))
    drawn = draw(images)
    with pytest.raises(ValueError, match="1 or 3 channels") as error:
        change(images, only(drawn, "hue"))
    assert "Received: 2 channels" in str(error.value)
    assert change(images, only(drawn, "x_flip")).shape == images.shape


@pytest.mark.parametrize("jit", [False, True])
def test_derivatives_are_those_of_central_differences(jit, check_derivatives):
    images = images_of((5, 4, 3), 3)
    drawn = draw(images)
    check_derivatives(lambda x: transformed(x, drawn, 0.0, 1.0), images, jit)
