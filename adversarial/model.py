"""The Keras model of a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from adversarial import optimizers
from adversarial.assembly import assemble, check_trainable
from adversarial.backend.random_state import global_random_state
from adversarial.callbacks.keras_callbacks import told
from adversarial.callbacks.player_progress import with_player_progress
from adversarial.deal import deal_flag, deal_kwargs, deal_optimizers, equip
from adversarial.divergence import DivergenceMonitor
from adversarial.errors import conversation
from adversarial.evaluation import Evaluator
from adversarial.fit_arguments import (
    NO_BATCH,
    check_compile_arguments,
    check_fit_arguments,
    check_numbers,
    check_trained,
)
from adversarial.game import Game
from adversarial.optimizers import AdversarialOptimizer
from adversarial.player import scaled_players
from adversarial.registry import PACKAGE
from adversarial.saving import SavedModel
from adversarial.scaling import check_cuts
from adversarial.scoreboard import Scoreboard
from adversarial.summary import player_table


@keras.saving.register_keras_serializable(package=PACKAGE)
class AdversarialModel(SavedModel):
    """A game of several players as one Keras model.

    Each player owns some parameters and minimises its own loss; how they move
    is the `adversarial_optimizer` given to `compile`. All that a Keras model
    does, it does: `fit`, `evaluate`, `predict`, `save`, callbacks, any input.

    Outputs, targets and logs are named `{player}_{output}`: a base model with
    m outputs and n players has n * m targets, in player order.

    Args:
        base_model: One built Keras model; every player has a loss on its
            outputs.
        player_models: One built Keras model per player, as a list or a dict
            by name, all on the same inputs. Exactly one of `base_model` and
            `player_models` is given.
        player_params: What each player owns, as a list or a dict by name: a
            list of variables, or a layer or model for its trainable ones.
        player_names: The names of the players. By default the keys of the
            dicts above, or `player_0`, `player_1`, ...
        name: The name of the model.

    Attributes:
        players: The players by name, in order.

    Raises:
        ValueError: if both or neither of `base_model` and `player_models` are
            given; if counts or names do not match; for duplicate or invalid
            names; for a parameter with two owners, or in no network; for an
            unbuilt model or a player without parameters.
        TypeError: for things that are not models or variables.

    A trainable variable that no player owns is a warning.

    Example:

    >>> import adversarial, keras
    >>> generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> critic = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model = adversarial.AdversarialModel(
    ...     base_model=adversarial.builders.build_gan(generator, critic),
    ...     player_params={"generator": generator, "discriminator": critic},
    ... )
    >>> model.compile(
    ...     "alternating",
    ...     "adam",
    ...     loss=keras.losses.BinaryCrossentropy(from_logits=True),
    ... )
    """

    def __init__(
        self,
        base_model: keras.Model | None = None,
        player_models: Any = None,
        player_params: Any = None,
        player_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.players = assemble(
            base_model, player_models, player_params, player_names
        )
        self.networks = self.players.networks
        self.built = True
        self._compiled_with: dict[str, Any] = {}
        self._scores: Scoreboard | None = None
        self._monitor: DivergenceMonitor | None = None

    def compile(
        self,
        adversarial_optimizer: Any = "simultaneous",
        player_optimizers: Any = "adam",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        *,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        on_nonfinite: str = "raise",
        rollback_every: int | None = None,
        update_state: bool | Mapping[str, bool] = True,
    ) -> None:
        """Says how the players move and what they minimise.

        Args:
            adversarial_optimizer: A strategy or its name.
            player_optimizers: One Keras optimizer (object, string or config)
                per player, as a list or a dict by name. One string or config
                means a fresh copy each.
            loss: Whatever Keras' `compile` takes, for each player's outputs
                and targets; or a dict of that by player; or an
                `AdversarialLoss`, which needs no targets. A player's loss
                also holds what its network adds with `add_loss`, and the
                regularisation of the weights it owns.
            loss_weights: Numbers, dealt like `loss`.
            metrics: Metrics, dealt like `loss`. A list with one entry per
                output, or a dict by output, as in Keras.
            weighted_metrics: The same, weighted by the sample weights.
            run_eagerly: Whether to run without compiling, to debug.
            steps_per_execution: Batches per call of the function that trains;
                1 with several replicas.
            jit_compile: Whether to use XLA for the whole step. `"auto"` is
                as in Keras: yes on accelerators where the model allows it. On
                a CPU, where that is no, `"auto"` still compiles the updates
                of Keras' own optimizers in games of several players, which
                changes nothing beyond the last bits; `False` does not.
                PyTorch runs every step as it is, and has no `True`.
            auto_scale_loss: Whether, under `mixed_float16`, every player gets
                a loss scale of its own.
            on_nonfinite: What to do about a loss that is NaN or infinite.
                `"raise"` raises a `GameDivergedError` after the step, with
                the weights from before it; `"warn"` skips the step;
                `"rollback"` goes back to a state that was kept in memory, of
                weights, optimizers and strategy. Both warn. Without a new
                state in between, the second and third time it goes back
                further, and then raises.
            rollback_every: The number of steps between the states that are
                kept, above 0; `None` is 100. Only for `"rollback"`.
            update_state: Whether a player's own moves update its moving
                statistics and the like; a dict by player, or one for all.

        Raises:
            ValueError: for unknown strategies, players, outputs, losses or
                metrics, with the nearest spelling; for counts that do not
                match; for an optimizer shared by two players or in use, or
                one that accumulates gradients where that is not sound.
            TypeError: for things of the wrong type.
        """
        given = dict(locals())
        del given["self"], given["__class__"]
        check_compile_arguments(given)
        check_trainable(self.players)
        strategy = optimizers.get(adversarial_optimizer)
        each = deal_optimizers(self.players, player_optimizers)
        update = deal_flag(self.players, update_state, "update_state")
        monitor = DivergenceMonitor(
            list(self.players), on_nonfinite, rollback_every
        )
        scores = Scoreboard(
            self.players, given, skips_bad=on_nonfinite != "raise"
        )
        scaled = scaled_players(self.players, each, auto_scale_loss)
        check_cuts(strategy, each, given, self.distribution, scaled)
        strategy.bind(Game(Evaluator(self.players)), each)
        fuse = jit_compile == "auto" and not run_eagerly
        equip(self.players, each, update, scaled=auto_scale_loss, fuse=fuse)
        strategy.player_optimizers = {
            name: p.optimizer for name, p in self.players.items()
        }
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )
        self.optimizer: AdversarialOptimizer = strategy
        self._monitor = monitor
        self._scores = scores
        made = {"adversarial_optimizer": strategy, "player_optimizers": each}
        self._compiled_with = {**given, **made}

    def adversarial_compile(
        self,
        adversarial_optimizer: Any,
        player_optimizers: Any,
        loss: Any,
        player_compile_kwargs: Any = None,
        **kwargs: Any,
    ) -> None:
        """Compiles, in the spelling of keras-adversarial.

        Args:
            adversarial_optimizer: A strategy or its name.
            player_optimizers: One Keras optimizer per player.
            loss: As for `compile`.
            player_compile_kwargs: Per player, as a list or dict, a dict with
                any of `loss`, `loss_weights`, `metrics`, `weighted_metrics`.
            **kwargs: Any other argument of `compile`.
        """
        dealt = deal_kwargs(self.players, loss, player_compile_kwargs)
        self.compile(
            adversarial_optimizer, player_optimizers, **dealt, **kwargs
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Returns the outputs in the order of the targets, as a flat list.

        One output alone is returned as it is. Players on a shared base model
        each have all of its outputs.
        """
        flat = self.players.call(inputs, training=training)
        return flat[0] if len(flat) == 1 else flat

    def play(self, data: Any) -> dict[str, Any]:
        """Plays one step of the strategy on a batch."""
        scores, monitor = self._compiled()
        batch = scores.deal(data)
        game = Game(
            Evaluator(self.players, scores.whole_loss),
            batch,
            permitted=monitor.permitted(),
            compiled=bool(self.jit_compile),
        )
        step = self.optimizer.iterations + 0
        self.optimizer(game)
        outcome = game.finish()
        monitor.note(list(outcome.finite.values()), step)
        return scores.log(batch, outcome)

    def judge(self, data: Any) -> dict[str, Any]:
        """Evaluates every player on a batch."""
        scores, _ = self._compiled()
        batch = scores.deal(data)
        evaluator = Evaluator(self.players, scores.whole_loss, training=False)
        return scores.log(batch, evaluator.outcome(batch))

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the train function, which looks out for bad losses."""
        before = self.train_function
        super().make_train_function(force)
        if self.train_function is not before:
            scores, monitor = self._compiled()
            self.train_function = self.around(
                self.train_function,
                lambda run: monitor.wrap(
                    scores.wrap(run), self.optimizer, self.moved_state
                ),
            )
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Makes the test function."""
        before = self.test_function
        super().make_test_function(force)
        if self.test_function is not before:
            scores, _ = self._compiled()
            self.test_function = self.around(self.test_function, scores.wrap)
        return self.test_function

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains as `keras.Model.fit` does; see there for the arguments.

        Raises:
            ValueError: before `compile`, or if the targets do not fit.
            GameDivergedError: at the first loss that is not finite, unless
                compiled with another `on_nonfinite`, or a `TerminateOnNaN`
                callback ends the training then.
        """
        monitor, players = self._compiled()[1], list(self.players)
        monitor.forget()
        own = {"batch_size": batch_size, "epochs": epochs}
        own |= {"callbacks": callbacks}
        check_fit_arguments(x, y, {**own, **kwargs}, self.players.target_count)
        shown = with_player_progress(callbacks, verbose, players)
        with told(callbacks, players, monitor):
            history = super().fit(
                x, y, batch_size, epochs, verbose, shown, **kwargs
            )
        check_trained(history, self.optimizer)
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        **kwargs: Any,
    ) -> Any:
        """Evaluates as `keras.Model.evaluate` does; see there.

        Returns:
            A dict by name with `return_dict=True`, else a list in the order
            of `metrics_names`.
        """
        self._compiled()
        own = {"batch_size": batch_size}
        check_fit_arguments(x, y, {**own, **kwargs}, self.players.target_count)
        as_dict = kwargs.pop("return_dict", False)
        kwargs["callbacks"] = with_player_progress(
            kwargs.get("callbacks"), verbose, list(self.players)
        )
        kwargs["return_dict"] = True
        logs = super().evaluate(x, y, batch_size, verbose, **kwargs)
        if not logs:
            raise ValueError(NO_BATCH.format("evaluate"))
        return logs if as_dict else [logs[n] for n in self.metrics_names]

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Plays one step as `keras.Model.train_on_batch` does; see there."""
        return self._on_batch(super().train_on_batch, args, kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates a batch as `keras.Model.test_on_batch` does; see there."""
        return self._on_batch(super().test_on_batch, args, kwargs)

    def _on_batch(
        self, run: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._compiled()
        as_dict = kwargs.pop("return_dict", False)
        check_numbers(batch=[args, kwargs])
        logs = run(*args, return_dict=True, **kwargs)
        return logs if as_dict else [logs[n] for n in self.metrics_names]

    @property
    def loose_variables(self) -> list[keras.Variable]:
        """Those that steps write, and that are in no layer or metric."""
        record = [] if self._monitor is None else [self._monitor.record]
        return [global_random_state(), *record]

    @property
    def output_names(self) -> list[str]:
        """The names of outputs and targets, in order."""
        return self.players.targets

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean of the total loss, then the metrics of each player."""
        return self._scores.metrics if self._scores else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of the logs, in order, once a batch was seen."""
        return list(self.get_metrics_result())

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the current value of every log."""
        return self._scores.results() if self._scores else {}

    def summary(self, print_fn: Any = None, **kwargs: Any) -> None:
        """Prints a table of the players, then Keras' summary of each network.

        Args:
            print_fn: Called with each text; `print` by default.
            **kwargs: Arguments of `keras.Model.summary`.
        """
        (print_fn or print)(player_table(self.name, self.players))
        for network in self.networks:
            network.summary(print_fn=print_fn, **kwargs)

    def _compiled(self) -> tuple[Scoreboard, DivergenceMonitor]:
        if self._scores is None or self._monitor is None:
            raise ValueError(
                conversation(
                    "The model must be compiled first.",
                    fix="call `model.compile(adversarial_optimizer, "
                    "player_optimizers, loss)`.",
                )
            )
        return self._scores, self._monitor
