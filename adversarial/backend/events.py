"""Numbers and pictures for TensorBoard, written by the package `tensorboard`.

So JAX and PyTorch write them; TensorFlow writes the same itself.
"""

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

from adversarial.errors import conversation

__all__ = ["image_writer", "summary_writer"]

COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""What PNG calls grey, grey with alpha, colour, and colour with alpha."""


def summary_writer(folder: str) -> Callable[[str, float, int], None]:
    """Opens a folder of events for TensorBoard.

    Returns:
        A function that writes a number under a name at a step.

    Raises:
        ImportError: if the package `tensorboard` is not there.
    """
    _check()
    from tensorboard.summary import Writer

    writer = Writer(folder)

    def write(name: str, value: float, step: int) -> None:
        writer.add_scalar(name, value, step)
        writer.flush()

    return write


def image_writer(folder: str) -> Callable[[str, Any, int], None]:
    """Opens a folder of events for TensorBoard.

    Returns:
        A function that writes an image, of shape (height, width, channels) and
        dtype uint8, under a name at a step.

    Raises:
        ImportError: if the package `tensorboard` is not there.
    """
    _check()
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(folder)
    metadata = SummaryMetadata()
    metadata.plugin_data.plugin_name = "images"

    def write(name: str, image: Any, step: int) -> None:
        height, width, _ = image.shape
        # What TensorBoard reads: the size in words, then the files.
        words = [str(width).encode(), str(height).encode(), png(image)]
        value = Summary.Value(
            tag=name, metadata=metadata, tensor=make_tensor_proto(words)
        )
        summary = Summary(value=[value])
        event = Event(wall_time=time.time(), step=step, summary=summary)
        writer.add_event(event)
        writer.flush()

    return write


def png(image: Any) -> bytes:
    """Writes an image as a PNG file.

    Args:
        image: Shape (height, width, channels), uint8, with 1 to 4 channels.
    """
    height, width, channels = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(
        ">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0
    )
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def _check() -> None:
    try:
        import tensorboard  # noqa: F401
    except ImportError as reason:
        raise ImportError(
            conversation(
                "Events for TensorBoard need the package `tensorboard`.",
                fix="`pip install tensorboard`, or leave `log_dir` out.",
            )
        ) from reason
