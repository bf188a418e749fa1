"""Vectors over the parameters of all players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.errors import conversation

Tensor = Any
Block = tuple[Tensor | None, ...]


class Joint(Mapping[str, Block]):
    """A joint vector: for each player, one tensor per owned variable.

    Points, gradients and directions are such vectors, so that a rule reads
    like its equation: `point - step * direction`. An entry may be `None`, a
    structural zero: it adds nothing, and the variable is left alone when the
    vector is applied.

    A vector may cover only some of the players; in sums and inner products
    the blocks that it lacks are zero. `a | b` takes the blocks of `b` where it
    has them and those of `a` elsewhere.

    Args:
        blocks: A tuple of tensors (or `None`) by player name. Of variables,
            the values at this moment are taken.
    """

    def __init__(self, blocks: Mapping[str, Iterable[Tensor | None]]) -> None:
        self._blocks: dict[str, Block] = {
            name: tuple(map(_value, block)) for name, block in blocks.items()
        }

    def __getitem__(self, player: str) -> Block:
        return self._blocks[player]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __or__(self, other: Mapping[str, Iterable[Tensor | None]]) -> Joint:
        return Joint({**self._blocks, **other})

    def only(self, players: Iterable[str]) -> Joint:
        """Returns the vector restricted to some players."""
        return Joint({name: self._blocks[name] for name in players})

    def map(self, function: Callable[[Tensor], Tensor]) -> Joint:
        """Applies a function to every tensor; `None` stays `None`."""
        return Joint(
            {
                name: [None if x is None else function(x) for x in block]
                for name, block in self._blocks.items()
            }
        )

    def __add__(self, other: Joint) -> Joint:
        return self._zip(other, _plus)

    def __sub__(self, other: Joint) -> Joint:
        return self._zip(other, _minus)

    def __neg__(self) -> Joint:
        return -1.0 * self

    def __mul__(self, scale: Any) -> Joint:
        """Multiplies by a number, or by one number per player."""
        if isinstance(scale, Joint):
            return NotImplemented
        if isinstance(scale, Mapping):
            return Joint(
                {
                    name: [_scaled(x, scale[name]) for x in block]
                    for name, block in self._blocks.items()
                }
            )
        if isinstance(scale, int | float) and scale == 1:
            return self
        return self.map(lambda x: _scaled(x, scale))

    def __rmul__(self, scale: Any) -> Joint:
        """Multiplies by a number, or by one number per player."""
        return self.__mul__(scale)

    def __truediv__(self, scale: Any) -> Joint:
        """Divides by a number."""
        return self.map(lambda x: x / _like(x, scale))

    def scaled(self, other: Joint) -> Joint:
        """Multiplies entry by entry; players must be the same."""
        return Joint(
            {
                name: [
                    None if a is None or b is None else a * b
                    for a, b in zip(self[name], other[name], strict=True)
                ]
                for name in self
            }
        )

    def dot(self, other: Joint) -> Tensor:
        """Returns the inner product over all players, a scalar tensor."""
        terms = [
            ops.sum(a * b)
            for name in self
            if name in other
            for a, b in zip(self[name], other[name], strict=True)
            if a is not None and b is not None
        ]
        return sum(terms[1:], start=terms[0]) if terms else ops.zeros(())

    def norm(self) -> Tensor:
        """Returns the Euclidean norm over all players, a scalar tensor."""
        return ops.sqrt(self.dot(self))

    def filled(self, like: Joint) -> Joint:
        """Returns a vector of the shape of `like`, zero where this has none."""
        return Joint(
            {
                name: [
                    ops.zeros_like(y) if x is None else x
                    for x, y in zip(
                        self.get(name) or (None,) * len(block),
                        block,
                        strict=True,
                    )
                ]
                for name, block in like.items()
            }
        )

    def flatten(self) -> list[Any]:
        """Returns all entries in player order."""
        return [x for block in self._blocks.values() for x in block]

    def pack(self, entries: Iterable[Tensor | None]) -> Joint:
        """Returns a vector of this one's shape made of flat entries.

        Raises:
            ValueError: if their number is another.
        """
        entries = list(entries)
        if len(entries) != len(self.flatten()):
            raise ValueError(
                conversation(
                    "A joint vector is packed from one entry per variable.",
                    expected=f"{len(self.flatten())}.",
                    received=f"{len(entries)}.",
                )
            )
        flat = iter(entries)
        return Joint(
            {name: [next(flat) for _ in self[name]] for name in self._blocks}
        )

    def _zip(
        self,
        other: Joint,
        function: Callable[[Tensor | None, Tensor | None], Tensor | None],
    ) -> Joint:
        def block(name: str) -> Block:
            a = self.get(name) or (None,) * len(other[name])
            b = other.get(name) or (None,) * len(self[name])
            return tuple(function(*ab) for ab in zip(a, b, strict=True))

        return Joint({name: block(name) for name in {**self, **other}})


def tensors_of(structure: Sequence[Any]) -> list[Tensor]:
    """Returns the tensors of joint vectors, tensors and nested ones, flat."""
    flat: list[Tensor] = keras.tree.flatten(_without_joints(structure))
    return flat


def pack_like(structure: Sequence[Any], tensors: Iterable[Tensor]) -> list[Any]:
    """Makes things of the same structure out of flat tensors."""
    packed = keras.tree.pack_sequence_as(
        _without_joints(structure), list(tensors)
    )
    return [
        # Keras may pack a dict in the order of its names.
        Joint({n: new[n] for n in old}) if isinstance(old, Joint) else new
        for old, new in zip(structure, packed, strict=True)
    ]


def _without_joints(structure: Sequence[Any]) -> list[Any]:
    return [dict(x) if isinstance(x, Joint) else x for x in structure]


def _value(x: Any) -> Tensor | None:
    return backend.read(x) if isinstance(x, keras.Variable) else x


def _plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _minus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return a if b is None else -b
    return a - b


def _scaled(x: Tensor | None, scale: Any) -> Tensor | None:
    return None if x is None else x * _like(x, scale)


def _like(x: Tensor, scale: Any) -> Tensor:
    """The scale in the precision of `x`: a Python number is not rounded."""
    return ops.convert_to_tensor(scale, dtype=x.dtype)
