"""Numbers and pictures for TensorBoard, which need not be there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def summary_writer(folder: str) -> Callable[[str, float, int], None]:
    """Opens a folder of events for TensorBoard.

    Returns:
        A function that writes a number under a name at a step.
    """
    writer = tf.summary.create_file_writer(folder)
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"

    def write(name: str, value: float, step: int) -> None:
        with writer.as_default():
            tf.summary.write(name, np.float32(value), step, metadata)
        writer.flush()

    return write


def image_writer(folder: str) -> Callable[[str, Any, int], None]:
    """Opens a folder of events for TensorBoard.

    Returns:
        A function that writes an image, of shape (height, width, channels) and
        dtype uint8, under a name at a step.
    """
    writer = tf.summary.create_file_writer(folder)
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "images"

    def write(name: str, image: Any, step: int) -> None:
        height, width, _ = image.shape
        # What TensorBoard reads: the size in words, then the files.
        values = [str(width), str(height), tf.io.encode_png(image).numpy()]
        with writer.as_default():
            tf.summary.write(name, tf.constant(values), step, metadata)
        writer.flush()

    return write
