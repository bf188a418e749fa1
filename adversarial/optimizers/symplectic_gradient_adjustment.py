"""Symplectic gradient adjustment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras import ops

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.checks import checked_choice, checked_number
from adversarial.optimizers.direction import Direction
from adversarial.registry import register

Tensor = Any
ALIGNMENTS = ("paper", "cosine")


@register("optimizers")
class SymplecticGradientAdjustment(Direction):
    """The rotating part of the game is turned into a pull to its center.

    Leaves games without rotation alone, and where the game is nothing but
    rotation it is `Consensus`. The alignment keeps it from being pulled to
    points that repel.

        g = xi + lambda * A^T xi,    A^T xi = (J^T xi - J xi) / 2
        lambda = strength * sign(<xi, J^T xi> <A^T xi, J^T xi> / d
                                 + align_epsilon)

    where xi is the field, J its Jacobian and d the number of parameters of
    all players; g is given to the players' Keras optimizers.

    Facts: order 2, any number of players, 3 field evaluations per step (two
    of them differentiated), no state.

    Args:
        strength: The weight of the adjustment, at least 0; 0 is
            `Simultaneous`.
        align: How its sign is chosen. `"paper"` is as above, which near a
            fixed point, where the products vanish, is always +. `"cosine"`
            divides each inner product by the lengths of its factors (and not
            by d), so that the scale of the losses does not matter. `None`
            does not choose: lambda = strength.
        align_epsilon: The bias to +. With `"cosine"` it is compared with a
            product of cosines: points that repel more weakly than that, in
            parts of the field's slope, still attract.

    Raises:
        ValueError: for a negative `strength` or an unknown `align`.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.SymplecticGradientAdjustment(
    ...     1.0, align="cosine"
    ... )

    References:
        - Balduzzi et al., The Mechanics of n-Player Differentiable Games,
          ICML 2018, arXiv 1802.05642.

    Differs from the authors' code, which divides by the number of tensors:
    here d is the number of parameters, so that splitting a tensor changes
    nothing.
    """

    order = 2
    field_evaluations: float | None = 3

    def __init__(
        self,
        strength: float = 1.0,
        align: str | None = "paper",
        align_epsilon: float = 0.1,
    ) -> None:
        super().__init__()
        self.strength = checked_number("strength", strength, least=0)
        if align is not None:
            checked_choice("align", align, ALIGNMENTS)
        self.align = align
        self.align_epsilon = checked_number("align_epsilon", align_epsilon)

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the adjusted field."""
        xi = game.field(at)
        grad_h = game.vjp(xi, at)
        adjustment = 0.5 * (grad_h - game.jvp(xi, at))
        strength = self._strength(xi, grad_h, adjustment)
        g: Joint = xi + strength * adjustment
        return g.only(game.players if players is None else players)

    def _strength(self, xi: Joint, grad_h: Joint, adjustment: Joint) -> Any:
        if self.align is None:
            return self.strength
        a, b = xi.dot(grad_h), adjustment.dot(grad_h)
        if self.align == "cosine":
            steep = grad_h.norm()
            product = _ratio(a, xi.norm() * steep)
            product *= _ratio(b, adjustment.norm() * steep)
        else:
            size = sum(ops.size(x) for x in xi.flatten() if x is not None)
            product = a * b / ops.cast(size, a.dtype)
        aligned = product + self.align_epsilon >= 0
        return ops.where(aligned, self.strength, -self.strength)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "strength": self.strength,
            "align": self.align,
            "align_epsilon": self.align_epsilon,
        }


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    positive = b > 0
    return ops.where(positive, a / ops.where(positive, b, 1), 0)
