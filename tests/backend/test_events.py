import io
import sys

import numpy as np
import pytest
from PIL import Image

from adversarial.backend.events import image_writer, png, summary_writer

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_picture_is_read_as_it_was(channels):
    image = RNG.integers(0, 256, (5, 7, channels)).astype("uint8")
    found = np.asarray(Image.open(io.BytesIO(png(image))))
    np.testing.assert_array_equal(found, np.squeeze(image))


def test_events_are_read_by_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    image = RNG.integers(0, 256, (3, 4, 3)).astype("uint8")
    summary_writer(str(tmp_path / "numbers"))("loss", 0.25, 7)
    image_writer(str(tmp_path / "pictures"))("samples", image, 3)
    numbers = EventAccumulator(str(tmp_path / "numbers")).Reload()
    (event,) = numbers.Tensors("loss")
    assert event.step == 7
    assert event.tensor_proto.float_val[0] == 0.25
    pictures = EventAccumulator(str(tmp_path / "pictures")).Reload()
    (event,) = pictures.Tensors("samples")
    width, height, file = event.tensor_proto.string_val
    assert (event.step, width, height) == (3, b"4", b"3")
    found = np.asarray(Image.open(io.BytesIO(file)))
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("write", [summary_writer, image_writer])
def test_without_tensorboard_it_is_said_what_to_install(
    write, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="`pip install tensorboard`"):
        write(str(tmp_path))
