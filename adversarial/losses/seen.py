"""What one player sees: the outputs of the model, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation, quoted, unknown

Tensor = Any
HALF = ("float16", "bfloat16")
"""Precisions in which a sum over a batch loses too much."""


class Seen:
    """The outputs and targets of a batch, as one player sees them.

    With one network per player, an output is looked for in the player's own
    network first. There the full name `{player}_{output}` is taken as well.

    Args:
        reader: The name of the loss that reads, for errors.
        player: The name of the player.
        outputs: The outputs by name; or, with one network per player, a dict
            of these by player.
        targets: The targets of the batch.

    Raises:
        TypeError: if the outputs have no names.
    """

    def __init__(
        self, reader: str, player: str, outputs: Any, targets: Any = None
    ) -> None:
        if not isinstance(outputs, Mapping):
            raise TypeError(
                conversation(
                    f"`{reader}` reads outputs by name.",
                    expected="a dict of tensors by name.",
                    received=f"an object of type `{type(outputs).__name__}`.",
                )
            )
        self.reader = reader
        self.targets = targets
        self._outputs: dict[str, Tensor] = {}
        if any(isinstance(part, Mapping) for part in outputs.values()):
            own = outputs.get(player, {})
            for owner, part in outputs.items():
                full = {f"{owner}_{name}": x for name, x in part.items()}
                self._outputs = {**part, **self._outputs, **full}
            self._outputs.update(own)
        else:
            self._outputs.update(outputs)

    def read(self, argument: str, name: str) -> Tensor:
        """Returns an output, in float32 if it came in less.

        Args:
            argument: The argument of the loss that names it, for errors.
            name: The name of the output.

        Raises:
            ValueError: if there is no such output.
        """
        if not isinstance(name, str) or name not in self._outputs:
            raise unknown(
                f"output in `{self.reader}({argument}=...)`",
                name,
                self._outputs,
            )
        return at_least_float32(self._outputs[name])

    def score(self, argument: str, name: str) -> Tensor:
        """Returns an output that holds one score per sample or per patch.

        Raises:
            ValueError: if there is no such output, or it holds several
                scores.
        """
        score = self.read(argument, name)
        shape = tuple(score.shape)
        # (batch,), (batch, 1), (batch, h, w), or maps with one channel, last
        # or first.
        single = (
            len(shape) in (1, 3)
            or (len(shape) > 1 and shape[-1] in (1, None))
            or (len(shape) > 3 and shape[1] == 1)
        )
        if not single:
            raise ValueError(
                conversation(
                    f"`{self.reader}` needs one score per sample, or one per "
                    "patch.",
                    expected=f"an output '{name}' of shape (batch, 1), "
                    "(batch,) or (batch, height, width, 1).",
                    received=f"{_written(shape)}.",
                    fix="end the discriminator in one unit; for scores of "
                    "classes use a loss for classes, such as "
                    "`MultiClassHinge`.",
                )
            )
        return score

    def pair(self, real: str, fake: str, *, alike: bool) -> tuple[Tensor, ...]:
        """Returns the scores of real and of fake samples.

        Args:
            real: The name of the output with the scores of real samples.
            fake: The name of that with the scores of fake samples.
            alike: Whether they must have the same shape, not only the same
                batch.

        Raises:
            ValueError: if one does not exist or holds several scores, or if
                the shapes do not fit.
        """
        found = self.score("real", real), self.score("fake", fake)
        shapes = [tuple(x.shape) if alike else (x.shape[0],) for x in found]
        check_same(self.reader, (real, fake), *shapes)
        return found


def check_same(
    reader: str,
    names: tuple[str, str],
    first: tuple[int | None, ...],
    second: tuple[int | None, ...],
) -> None:
    """Refuses shapes that would be broadcast; sizes may be unknown.

    Raises:
        ValueError: if the shapes differ.
    """
    if len(first) != len(second) or any(
        None not in sizes and sizes[0] != sizes[1]
        for sizes in zip(first, second, strict=True)
    ):
        raise ValueError(
            conversation(
                f"`{reader}` compares {quoted(names)} sample by sample, so "
                "they must have the same shape.",
                received=f"{_written(first)} and {_written(second)}.",
            )
        )


def at_least_float32(x: Any) -> Tensor:
    """Casts what is no float, or a float in half precision."""
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if dtype in HALF:
        return ops.cast(x, "float32")
    if not keras.backend.is_float_dtype(dtype):
        return ops.cast(x, keras.config.floatx())
    return x


def per_sample(x: Tensor) -> Tensor:
    """Averages over all axes but the first."""
    return ops.mean(x, axis=tuple(range(1, len(x.shape))))


def _written(shape: tuple[int | None, ...]) -> str:
    return f"shape ({', '.join('?' if n is None else str(n) for n in shape)})"
