"""Checking a strategy by all proofs that apply to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from adversarial import optimizers
from adversarial.errors import conversation, unknown
from adversarial.optimizers import AdversarialOptimizer
from adversarial.testing import (
    proofs_of_declarations,
    proofs_of_machinery,
    proofs_of_rules,
)
from adversarial.testing.bilinear_spectra import Rate
from adversarial.testing.linear_game import LinearGame
from adversarial.testing.linear_model import precision
from adversarial.testing.reference_steps import Step
from adversarial.testing.report import (
    FAILS,
    HOLDS,
    SKIPPED,
    NotApplicable,
    Proof,
    Refuted,
    Report,
    StrategyCheckError,
    first_line,
)
from adversarial.testing.subject import Claims, Subject
from adversarial.testing.update_matrices import UpdateMatrix

PROOFS: dict[str, Callable[[Subject], str]] = {
    proof.__name__: proof
    for proof in (
        proofs_of_declarations.config,
        proofs_of_declarations.players,
        proofs_of_rules.formula,
        proofs_of_rules.matrix,
        proofs_of_rules.rate,
        proofs_of_rules.equivalence,
        proofs_of_rules.relabelling,
        proofs_of_rules.splitting,
        proofs_of_rules.one_player,
        proofs_of_machinery.eager,
        proofs_of_machinery.xla,
        proofs_of_machinery.tracing,
        proofs_of_declarations.evaluations,
        proofs_of_declarations.order,
        proofs_of_machinery.losses,
        proofs_of_machinery.precisions,
        proofs_of_machinery.slots,
        proofs_of_machinery.training,
        proofs_of_machinery.nonfinite,
        proofs_of_machinery.saving,
    )
}


def check_strategy(
    strategy: AdversarialOptimizer | Callable[[], AdversarialOptimizer] | str,
    reference: Step | None = None,
    *,
    matrix: Callable[[LinearGame], UpdateMatrix] | None = None,
    rate: Callable[[float], Rate] | None = None,
    names: Sequence[str] = ("p0", "p1", "p2"),
    players: Sequence[int] | None = None,
    zero_sum: bool = False,
    symmetric: bool = True,
    field_only: bool | None = None,
    alone_as_fit: bool = False,
    tolerance: float = 1e-12,
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
) -> Report:
    """Makes all proofs that apply to a strategy, and says what they show.

    The proofs, by name:

    - `config`: the configuration makes the strategy again, with all arguments;
    - `players`: the declared number of players is accepted, and no other;
    - `formula`: 20 steps in double precision on random general-sum quadratic
      games of 2 and 3 players with 2, 3 and 1 parameters equal the reference;
    - `matrix`: steps from the basis vectors are the columns of the update
      matrix;
    - `rate`: the contraction on min_x max_y xy is the closed form, at three
      step sizes and just past the largest stable one;
    - `equivalence`: terms of the others in a loss change nothing, or
      something, as `field_only` claims;
    - `relabelling`, `splitting`: players in another order, and parameters in
      two pieces, play the same;
    - `one_player`: one player alone moves, or as `alone_as_fit` claims, is
      trained as Keras' `fit` does;
    - `eager`, `xla`: the compiled step, run eagerly and by XLA, is the same;
    - `tracing`: the step is traced once (PyTorch traces and compiles none);
    - `evaluations`, `order`: `field_evaluations` and `order` are as declared;
    - `losses`: the reported losses are those before the step;
    - `precisions`, `slots`: runs in float32, float64 and mixed precisions are
      finite, and slots have the dtype of the parameters;
    - `training`: a small GAN with batch normalisation, dropout and Adam
      trains, and moving statistics are updated once per step;
    - `nonfinite`: a batch that is not finite changes neither weights nor
      slots;
    - `saving`: saved, loaded and continued is as never stopped, bit for bit.

    Args:
        strategy: An unused strategy, of which copies are made through its
            configuration; or a function that returns a new one; or a name.
        reference: The step in NumPy, as in `adversarial.testing.references`:
            a function of a `LinearGame`, a point and a state, `{}` at first,
            to the next point and state.
        matrix: From a `LinearGame` to the `UpdateMatrix`.
        rate: From a step size to the `Rate` on min_x max_y xy.
        names: What the players are called; in a GAN the first is the
            generator.
        players: With how many players it is tried; by default with as many
            as it declares, or 1, 2 and 3.
        zero_sum: Whether it is for games whose losses add up to zero.
        symmetric: Whether the order of the players does not matter.
        field_only: Whether it sees each player's gradient of its own loss
            only; `None` if nothing is claimed.
        alone_as_fit: Whether one player alone is trained as by Keras' `fit`.
        tolerance: The largest difference in double precision, in parts of the
            largest number.
        only: The names of the proofs to make; `None` is all.
        skip: The names of proofs to leave out.

    Returns:
        The report, if all proofs hold that were made.

    Raises:
        StrategyCheckError: if some do not; it says which, and has the report.
        ValueError: for an unknown name of a proof, or a strategy in use.

    Example:

    >>> import adversarial
    >>> from adversarial.testing import check_strategy
    >>> report = check_strategy("simultaneous", only=["config", "eager"])
    >>> report["config"].outcome
    'holds'
    """
    given, make = _opened(strategy)
    claims = Claims(
        reference=reference,
        matrix=matrix,
        rate=rate,
        names=names,
        players=players,
        zero_sum=zero_sum,
        symmetric=symmetric,
        field_only=field_only,
        alone_as_fit=alone_as_fit,
        tolerance=tolerance,
    )
    chosen = _chosen(only, skip)
    with precision("float64"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        subject = Subject(given, make, claims, checks_xla="xla" in chosen)
        proofs = [_made(name, subject) for name in chosen]
    report = Report(_written(given), proofs)
    if report.failed:
        raise StrategyCheckError(report)
    return report


def _opened(
    strategy: Any,
) -> tuple[AdversarialOptimizer, Callable[[], AdversarialOptimizer]]:
    """The strategy, and a function that makes fresh ones."""
    if not isinstance(strategy, AdversarialOptimizer) and callable(strategy):
        return strategy(), strategy
    given = optimizers.get(strategy)
    if given.built:
        raise ValueError(
            conversation(
                "A strategy that is checked must be unused.",
                received=f"a `{type(given).__name__}` that is in use.",
                fix=f"pass a new `{type(given).__name__}(...)`.",
            )
        )

    def make() -> AdversarialOptimizer:
        whole = keras.saving.serialize_keras_object(given)
        return optimizers.get(whole)

    return given, make


def _chosen(only: Iterable[str] | None, skip: Iterable[str]) -> list[str]:
    skip = list(skip)
    asked = list(PROOFS if only is None else only)
    for name in [*asked, *skip]:
        if name not in PROOFS:
            raise unknown("proof", name, PROOFS)
    return [name for name in PROOFS if name in asked and name not in skip]


def _made(name: str, subject: Subject) -> Proof:
    try:
        return Proof(name, HOLDS, PROOFS[name](subject))
    except NotApplicable as reason:
        return Proof(name, SKIPPED, str(reason))
    except Refuted as reason:
        return Proof(name, FAILS, str(reason))
    except Exception as error:
        return Proof(name, FAILS, f"raised {first_line(error)}")


def _written(strategy: AdversarialOptimizer) -> str:
    """The strategy as one would write it."""
    words = [f"{n}={_word(v)}" for n, v in strategy.get_config().items()]
    return f"{type(strategy).__name__}({', '.join(words)})"


def _word(value: Any) -> str:
    """A setting, in which strategies are named without their own."""
    if isinstance(value, dict) and "class_name" in value:
        return f"{value['class_name']}(...)"
    if isinstance(value, list):
        return f"[{', '.join(map(_word, value))}]"
    return repr(value)
