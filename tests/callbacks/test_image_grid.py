import sys

import keras
import numpy as np
import pytest
from engines import picture, recorded
from PIL import Image

from adversarial.callbacks import ImageGrid
from adversarial.callbacks.image_grid import grid, write_grid

UNIT = (0.0, 1.0)
WHITE = 255


def constants(*shape):
    """Images of 2 by 5 pixels, each of one level: 0, 10, 20, ... of 255."""
    values = 10 * np.arange(np.prod(shape)).reshape(*shape, 1, 1) / WHITE
    return np.broadcast_to(values, (*shape, 2, 5))


def test_images_stand_in_rows_and_columns_with_white_gaps():
    picture = grid(constants(2, 3), UNIT, gap=1)
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 2 + 1, 3 * 5 + 2)
    expected = np.full((5, 17), WHITE, np.uint8)
    for row in range(2):
        for column in range(3):
            place = expected[3 * row : 3 * row + 2, 6 * column : 6 * column + 5]
            place[:] = 10 * (3 * row + column)
    np.testing.assert_array_equal(picture, expected)


def test_gaps_are_two_pixels_wide_unless_told_and_may_be_nothing():
    assert grid(constants(2, 3), UNIT).shape == (2 * 2 + 2, 3 * 5 + 4)
    assert grid(constants(2, 3), UNIT, gap=0).shape == (4, 15)


def test_an_image_is_neither_turned_nor_mirrored():
    pixels = np.arange(10).reshape(2, 5)
    picture = grid(pixels[None, None] / WHITE, UNIT)
    np.testing.assert_array_equal(picture, pixels)


def test_values_are_shown_within_their_range():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 5.0]).reshape(1, 1, 1, 5)
    np.testing.assert_array_equal(
        grid(values, (-1.0, 1.0)), [[0, 0, 128, 255, 255]]
    )
    np.testing.assert_array_equal(
        grid(values, (0.0, 5.0)), [[0, 0, 0, 51, 255]]
    )


def test_integers_are_shown_as_well_as_floats():
    values = np.array([0, 255, 128, 3, 7], np.uint8).reshape(1, 1, 1, 5)
    np.testing.assert_array_equal(grid(values, (0, 255)), [[0, 255, 128, 3, 7]])


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_stay_in_their_channels(channels):
    image = np.zeros((1, 2, 1, 1, channels))
    image[0, 1, 0, 0, 1] = 1.0
    picture = grid(image, UNIT, gap=0)
    assert picture.shape == (1, 2, channels)
    np.testing.assert_array_equal(picture[0, 0], [0] * channels)
    np.testing.assert_array_equal(picture[0, 1], [0, WHITE, 0, 0][:channels])


def test_one_channel_is_the_same_as_none():
    images = constants(2, 3)
    np.testing.assert_array_equal(
        grid(images[..., None], UNIT), grid(images, UNIT)
    )


def test_a_flat_list_is_arranged_in_a_square_and_filled_up_with_black():
    flat = constants(4)[1:, ..., None]
    picture = grid(flat, UNIT, gap=0)
    assert picture.shape == (2 * 2, 2 * 5)
    np.testing.assert_array_equal(picture[::2, ::5], [[10, 20], [30, 0]])


def test_the_filling_is_the_black_of_the_range():
    picture = grid(np.zeros((3, 1, 1, 1)), (-1.0, 1.0), gap=0)
    np.testing.assert_array_equal(picture, [[128, 128], [128, 0]])


@pytest.mark.parametrize(
    "shape",
    [(), (5,), (28, 28), (9, 28, 28), (2, 2, 8, 8, 2), (1, 1, 1, 8, 8, 3)],
)
def test_what_is_no_grid_of_images_is_an_error(shape):
    with pytest.raises(ValueError, match="A grid needs images") as error:
        grid(np.zeros(shape), UNIT)
    assert f"shape {shape}" in str(error.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error(bad):
    images = np.zeros((2, 2, 4, 4))
    images[1, 0, 3, 3] = bad
    with pytest.raises(ValueError, match="finite images"):
        grid(images, UNIT)


def test_a_written_grid_holds_the_pixels_of_the_grid(tmp_path):
    path = tmp_path / "new" / "folders" / "grid.png"
    write_grid(path, constants(2, 3), UNIT, gap=1)
    with Image.open(path) as picture:
        found = np.asarray(picture)
    np.testing.assert_array_equal(found, grid(constants(2, 3), UNIT, gap=1))


def test_tensors_are_written_too(tmp_path):
    write_grid(tmp_path / "grid.png", keras.ops.zeros((2, 2, 4, 4, 3)))
    with Image.open(tmp_path / "grid.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (10, 10))


def test_bad_images_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="finite images"):
        write_grid(tmp_path / "a" / "b.png", np.full((1, 1, 2, 2), np.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_written_after_every_epoch(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []

    def images():
        seen.append(len(seen))
        return np.full((1, 1, 1, 1), float(len(seen)))

    model.fit(
        np.zeros((4, 1)),
        np.zeros((4, 1)),
        epochs=2,
        verbose=0,
        callbacks=[
            ImageGrid(tmp_path / "out" / "epoch-{:03d}.png", images, (0.0, 5.0))
        ],
    )
    names = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert names == ["epoch-000.png", "epoch-001.png"]
    assert seen == [0, 1]
    pixels = []
    for name in names:
        with Image.open(tmp_path / "out" / name) as picture:
            pixels.append(picture.getpixel((0, 0)))
    assert pixels == [51, 102]


def test_only_writing_needs_pillow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    callback = ImageGrid(tmp_path / "{}.png", lambda: np.zeros((1, 1, 2, 2)))
    with pytest.raises(ImportError):
        callback.on_epoch_end(0)


def plain_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def fit(model, callback, epochs):
    x = np.zeros((4, 1))
    model.fit(
        x, x, batch_size=2, epochs=epochs, verbose=0, callbacks=[callback]
    )


def pictures_in(folder):
    """The pictures in the event files of a folder, by name and step."""
    found = {}
    for event, value, (width, height, png) in recorded(folder):
        assert value.metadata.plugin_data.plugin_name == "images"
        image = picture(png)
        assert image.shape[:2] == (int(height), int(width))
        found[value.tag, event.step] = image
    return found


def test_pictures_are_written_every_few_epochs_and_after_the_last(tmp_path):
    callback = ImageGrid(
        tmp_path / "{}.png", lambda: np.zeros((1, 1, 2, 2)), every=2
    )
    fit(plain_model(), callback, 5)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["1.png", "3.png", "4.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_tensorboard_gets_the_same_pictures_at_the_training_step(
    tmp_path, channels
):
    images = np.random.default_rng(0).uniform(size=(2, 3, 4, 5, channels))
    callback = ImageGrid(
        tmp_path / "{}.png", lambda: images, log_dir=tmp_path / "logs"
    )
    fit(plain_model(), callback, 2)
    found = pictures_in(tmp_path / "logs" / "images")
    assert set(found) == {("samples", 2), ("samples", 4)}
    with Image.open(tmp_path / "1.png") as picture:
        file = np.asarray(picture)
    np.testing.assert_array_equal(np.squeeze(found["samples", 4]), file)


def test_tensorboard_needs_neither_files_nor_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    callback = ImageGrid(
        None, lambda: np.zeros((1, 1, 2, 2)), log_dir=tmp_path / "logs"
    )
    fit(plain_model(), callback, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    monkeypatch.undo()
    assert set(pictures_in(tmp_path / "logs" / "images")) == {("samples", 2)}


def test_pictures_that_go_nowhere_are_an_error():
    with pytest.raises(ValueError, match="written somewhere"):
        ImageGrid(None, lambda: np.zeros((1, 1, 2, 2)))


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_every_must_be_a_number_of_epochs(every):
    with pytest.raises(ValueError, match="`every` must be a whole number"):
        ImageGrid("a.png", lambda: np.zeros((1, 1, 2, 2)), every=every)
