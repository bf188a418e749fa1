"""The base class of losses that know outputs and players by name."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adversarial.arguments import checked_choice, checked_count
from adversarial.errors import conversation, quoted, unknown
from adversarial.losses.adversarial_loss import AdversarialLoss
from adversarial.losses.seen import Seen

Tensor = Any
Names = str | Sequence[str]
"""One name, or several in a list."""


class NamedLoss(AdversarialLoss):
    """A loss whose arguments name the outputs it reads and its players.

    A subclass stores its arguments under their own names, from which its
    configuration is made, and says in `roles` what each player minimises.
    """

    by_name = True

    @property
    @abc.abstractmethod
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """The loss of the players that an argument names, by argument.

        Each function returns a scalar or a value per sample.
        """

    def call(self, outputs: Any, targets: Any = None) -> dict[str, Tensor]:
        """Returns the loss of the players that the arguments name."""
        reader = type(self).__name__
        return {
            player: loss(Seen(reader, player, outputs, targets))
            for role, loss in self.roles.items()
            for player in listed(getattr(self, role))
        }

    def players_of(self, players: Sequence[str]) -> list[str]:
        """Returns the players that the arguments name."""
        named: dict[str, str] = {}
        for role in self.roles:
            call = f"{type(self).__name__}({role}=...)"
            for name in listed(getattr(self, role)):
                if name not in players:
                    raise unknown(f"player in `{call}`", name, players)
                if name in named:
                    raise ValueError(
                        conversation(
                            f"`{type(self).__name__}` must give every player "
                            "one loss.",
                            received=f"'{name}' as `{named[name]}` and as "
                            f"`{role}`.",
                        )
                    )
                named[name] = role
        return [name for name in players if name in named]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}


def listed(names: Names) -> list[str]:
    """Returns names as a list, whether one came or several.

    Raises:
        TypeError: for what is neither.
    """
    found = [names] if isinstance(names, str) else names
    if not isinstance(found, list | tuple) or not all(
        isinstance(name, str) for name in found
    ):
        raise TypeError(
            conversation(
                "Outputs and players must be given by name.",
                expected="a name, or a list of names.",
                received=f"{names!r} of type `{type(names).__name__}`.",
            )
        )
    return list(found)


def check_choice(argument: str, value: str, known: Sequence[str]) -> None:
    """Refuses a word that is none of those known.

    Raises:
        ValueError: with the nearest spelling.
    """
    checked_choice(argument, value, known)


def check_count(classes: Any) -> None:
    """Refuses what is no number of classes.

    Raises:
        ValueError: if it is below 2.
        TypeError: if it is no whole number.
    """
    checked_count("classes", classes, least=2)


def check_layers(first: Names, second: Names) -> None:
    """Refuses lists of outputs that do not pair up.

    Raises:
        ValueError: if they have different lengths, or none.
    """
    a, b = listed(first), listed(second)
    if len(a) != len(b) or not a:
        raise ValueError(
            conversation(
                "Outputs must be named in pairs.",
                received=f"{quoted(a)} and {quoted(b)}.",
            )
        )
