"""The base class of strategies."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from adversarial import registry
from adversarial.errors import conversation, quoted
from adversarial.game import Game, Slots
from adversarial.optimizers.names import looked_through, name_after_players


class AdversarialOptimizer(keras.optimizers.Optimizer, abc.ABC):  # type: ignore[misc]
    """A strategy: the rule by which the players of a game move.

    Subclass it and write `step`. State is made in `build`, with
    `add_variable` or `add_slots`, and saved with the model; a step writes it
    with `game.assign`. A wrapper passes its inner strategy on, as
    `super().__init__(inner)`, and plays it by calling it: `self.inner(game)`.

    It is a Keras optimizer so that Keras' saving and callbacks see the
    players' optimizers through it; it is not applied to gradients itself.

    Args:
        inner: The strategy that this one wraps or builds on: a strategy, its
            name or its config. `None` if there is none.
        parts: For a strategy made of several, which are bound, saved and
            looked at with it: these, each as `inner`, in the place of `inner`.

    Attributes:
        order: The highest order of derivatives that the rule takes.
        players: How many players the rule is for; `None` is any number.
        field_evaluations: Evaluations of one player's gradient per step,
            divided by the number of players; `None` if it depends on the
            arguments and the game.
        inner: The strategy that this one wraps or builds on, or `None`.
        parts: All strategies directly within this one: `inner`, or several.
        iterations: The number of steps made, an integer variable. A step that
            is held back, because something is not finite, does not count.

    Example:

    >>> import adversarial
    >>> class Signs(adversarial.AdversarialOptimizer):
    ...     def step(self, game):
    ...         game.apply(game.field().map(keras.ops.sign))
    """

    order: int = 1
    players: ClassVar[int | None] = None
    built: bool
    field_evaluations: float | None = 1

    def __init__(self, inner: Any = None, parts: Sequence[Any] = ()) -> None:
        super().__init__(learning_rate=0.0)
        self.inner = None if inner is None else get(inner)
        within = map(get, parts) if self.inner is None else [self.inner]
        self.parts: tuple[AdversarialOptimizer, ...] = tuple(within)
        self.order = max([self.order, *(part.order for part in self.parts)])
        self._player_optimizers: Mapping[str, Any] = {}

    @abc.abstractmethod
    def step(self, game: Game) -> None:
        """Moves every player once."""

    def build(self, game: Game) -> None:
        """Checks the arguments against the players and makes variables.

        Called once, when the model is compiled. The game has no batch then.
        """

    def __call__(self, game: Game) -> None:
        """Plays one step and counts it, unless it is held back."""
        self.step(game)
        game.assign(self.iterations, self.iterations + 1)

    def bind(self, game: Game, optimizers: Mapping[str, Any]) -> None:
        """Takes the players' optimizers and builds; the model calls this.

        Raises:
            ValueError: if the strategy is in use in another model, or is not
                for this number of players.
        """
        if self.players not in (None, len(game.players)):
            raise ValueError(
                conversation(
                    f"`{type(self).__name__}` is for {self.players} players.",
                    received=f"{len(game.players)}: {quoted(game.players)}.",
                )
            )
        if self.built:
            raise ValueError(
                conversation(
                    "A strategy object belongs to one compiled model.",
                    received=f"a `{type(self).__name__}` that is in use.",
                    fix=f"pass a new `{type(self).__name__}(...)`.",
                )
            )
        name_after_players(optimizers)
        self.player_optimizers = dict(optimizers)
        self._owned = _Untracked(game.variables)
        for part in self.parts:
            part.bind(game, optimizers)
        self.build(game)
        self.built = True

    def add_slots(self, game: Game, name: str) -> Slots:
        """Makes a variable of zeros for each parameter, by player.

        Args:
            game: The game that `build` is given.
            name: What the variables are called.
        """
        return {
            player: [
                self.add_variable_from_reference(v, f"{player}_{name}_{i}")
                for i, v in enumerate(block)
            ]
            for player, block in game.variables.items()
        }

    def plain_moves(
        self, players: Sequence[str]
    ) -> list[tuple[str, ...]] | None:
        """Says on which batch who steps along the gradient of that batch.

        Optimizers can accumulate gradients only if this is all there is to the
        rule.

        Args:
            players: The names of the players.

        Returns:
            The names for each batch of a cycle; `None` for any other rule.
        """
        return None

    def look(self) -> None:
        """Looks at the state after some steps, outside the compiled part.

        The place to raise or warn about what a step has recorded. The model
        calls it after each execution of the compiled function.
        """
        for part in self.parts:
            part.look()

    @property
    def player_optimizers(self) -> Mapping[str, Any]:
        """The Keras optimizer of each player, by name."""
        return self._player_optimizers

    @player_optimizers.setter
    def player_optimizers(self, optimizers: Mapping[str, Any]) -> None:
        self._player_optimizers = optimizers
        for part in self.parts:
            part.player_optimizers = optimizers

    @property
    def learning_rates(self) -> dict[str, Any]:
        """The learning rate of each player now, scalar tensors by name."""
        return {
            name: ops.convert_to_tensor(optimizer.learning_rate)
            for name, optimizer in self.player_optimizers.items()
        }

    @property
    def optimizers(self) -> list[Any]:
        """The players' Keras optimizers, where Keras' callbacks look.

        They are those inside of a `LossScaleOptimizer`, which has no averages
        and no name to tell players by.
        """
        return [looked_through(o) for o in self.player_optimizers.values()]

    @property
    def variables(self) -> list[keras.Variable]:
        """All state: the strategy's own, then the players' optimizers'."""
        own = self._own_variables()
        for optimizer in self.player_optimizers.values():
            own.extend(optimizer.variables)
        return own

    def _own_variables(self) -> list[keras.Variable]:
        own = list(super().variables)
        for part in self.parts:
            own.extend(part._own_variables())
        return own

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the first player.

        Setting it sets that of every player, if they are all the same now.

        Raises:
            ValueError: for setting it while players' learning rates differ.
        """
        if not self.player_optimizers:
            return super().learning_rate
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        rates = {n: float(rate) for n, rate in self.learning_rates.items()}
        if len(set(rates.values())) > 1:
            name = next(iter(rates))
            each = ", ".join(f"{rate:g} for '{n}'" for n, rate in rates.items())
            raise ValueError(
                conversation(
                    "The players have learning rates of their own, which one "
                    "number for all would make equal.",
                    received=f"{each}.",
                    fix=f'set `model.players["{name}"].optimizer.learning_rate'
                    "` and so on; a callback that sets one works inside of "
                    f'`callbacks.ForPlayer("{name}", ...)`.',
                )
            )
        for optimizer in self.optimizers:
            optimizer.learning_rate = learning_rate

    def finalize_variable_values(self, var_list: Any) -> None:
        """Lets every player's optimizer finish, when `fit` ends."""
        for name, optimizer in self.player_optimizers.items():
            optimizer.finalize_variable_values(list(self._owned.value[name]))

    def save_own_variables(self, store: Any) -> None:
        """Saves the strategy's own state; the players' is saved on its own."""
        for number, variable in enumerate(super().variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved.

        Raises:
            ValueError: if the number of variables differs.
        """
        own = super().variables
        if len(store.keys()) != len(own):
            raise ValueError(
                conversation(
                    f"The saved state is not one of this "
                    f"`{type(self).__name__}`.",
                    expected=f"{len(own)} variables.",
                    received=f"{len(store.keys())}.",
                )
            )
        for number, variable in enumerate(own):
            variable.assign(store[str(number)])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; of these, here, `inner`."""
        if self.inner is None:
            return {}
        return {"inner": keras.saving.serialize_keras_object(self.inner)}


def get(identifier: Any) -> AdversarialOptimizer:
    """Returns the strategy for a name, a config or a strategy.

    Args:
        identifier: A snake_case name such as `"alternating"`, a Keras
            serialisation config, or an `AdversarialOptimizer`.

    Raises:
        ValueError: for an unknown name; the nearest spelling is offered.
        TypeError: for anything that is not a strategy.
    """
    strategy: AdversarialOptimizer = registry.get(
        "optimizers", identifier, AdversarialOptimizer, "strategy"
    )
    return strategy


class _Untracked:
    """Keeps a value out of the sight of Keras' variable tracking."""

    def __init__(self, value: Any) -> None:
        self.value = value
