"""Error messages as small conversations, and the error of a diverged game."""

import difflib
from collections.abc import Iterable


class GameDivergedError(ArithmeticError):
    """A player's loss or gradient became infinite or NaN in training.

    The weights are those from before the step that is named.

    Attributes:
        players: Names of the players whose loss or gradient it was.
        step: Number of the training step (the first step is 0).
    """

    def __init__(self, players: Iterable[str], step: int) -> None:
        self.players = tuple(players)
        self.step = step
        super().__init__(
            divergence(
                self.players,
                step,
                fix="look for NaN in the batch, for labels that number no "
                "class, and for targets or weights of fewer rows than `x`; "
                "lower the learning rates; or "
                'compile with `on_nonfinite="warn"` to skip such steps, or '
                '`"rollback"` to go back to an earlier state.',
            )
        )

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...], int]]:
        return type(self), (self.players, self.step)


NOT_MADE = "The step was not made: the weights are those from before it."


def divergence(
    players: Iterable[str], step: int, fix: str, then: str = NOT_MADE
) -> str:
    """Says who was not finite, when, what came then, and what to do."""
    return conversation(
        "The loss and the gradient of every player must be finite.",
        received=f"NaN or infinity for {quoted(players)} at training step "
        f"{step}. {then}",
        fix=fix,
    )


def conversation(
    what: str,
    *,
    expected: str | None = None,
    received: str | None = None,
    fix: str | None = None,
) -> str:
    """Forms an error message: what must hold, what came, what to type.

    Args:
        what: One sentence that says what must hold.
        expected: What was expected, if that is not clear from `what`.
        received: What came instead.
        fix: What to type.

    Returns:
        The message, one line a part.
    """
    lines = [what]
    for label, text in (
        ("Expected", expected),
        ("Received", received),
        ("Fix", fix),
    ):
        if text is not None:
            lines.append(f"  {label}: {text}")
    return "\n".join(lines)


def quoted(names: Iterable[str]) -> str:
    """Lists names in quotes: `'a', 'b'`."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Returns the error for an unknown name, with the nearest spelling.

    Args:
        kind: What the name should be the name of, such as `"strategy"`.
        name: The name that came.
        known: All names that exist.
    """
    known = list(known)
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
    fix = f"did you mean '{lower[near[0]]}'?" if near else None
    return ValueError(
        conversation(
            f"Unknown {kind}: {name!r}.",
            expected=f"one of {quoted(known)}.",
            fix=fix,
        )
    )
