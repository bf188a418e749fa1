"""Numbers are read back in `tests/callbacks/test_game_diagnostics.py`."""

import numpy as np
import pytest
import tensorflow as tf

from adversarial import backend


def test_images_are_written_as_tensorboard_itself_writes_them(tmp_path):
    pytest.importorskip("tensorboard")
    image = np.random.default_rng(0).integers(
        256, size=(4, 6, 3), dtype="uint8"
    )
    backend.image_writer(str(tmp_path / "ours"))("grid", image, 7)
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default():
        tf.summary.image("grid", image[None], 7)
    values = []
    for folder in ("ours", "theirs"):
        (path,) = (tmp_path / folder).glob("events.*")
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert event.step == 7
                name = value.metadata.plugin_data.plugin_name
                parts = tf.make_ndarray(value.tensor).tolist()
                pixels = tf.io.decode_png(parts[2]).numpy()
                values.append((value.tag, name, parts[:2], pixels.tolist()))
    ours, theirs = values
    assert ours == theirs
