"""The Keras model of a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from adversarial import backend, optimizers
from adversarial.assembly import assemble
from adversarial.backend.graph import record, replay
from adversarial.backend.random_state import is_random_state
from adversarial.batch import Batch, split_batch
from adversarial.callbacks.player_progress import PlayerProgress
from adversarial.deal import deal, deal_optimizers
from adversarial.divergence import DivergenceMonitor
from adversarial.errors import conversation, unknown
from adversarial.evaluation import Evaluator, Outcome, read_all
from adversarial.game import Game
from adversarial.losses.adversarial_loss import AdversarialLoss
from adversarial.objective import Objective
from adversarial.optimizers import AdversarialOptimizer
from adversarial.registry import PACKAGE
from adversarial.summary import player_table

DEALT = ("loss", "loss_weights", "metrics", "weighted_metrics")


@keras.saving.register_keras_serializable(package=PACKAGE)
class AdversarialModel(keras.Model):  # type: ignore[misc]
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

    train_function: Any

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
        self._total = keras.metrics.Mean(name="loss")
        self._compiled_with: dict[str, Any] = {}
        self._whole_loss: AdversarialLoss | None = None
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
            steps_per_execution: Batches per call of the compiled function.
            jit_compile: Whether to use XLA; `"auto"` as in Keras.
            auto_scale_loss: Whether, under `mixed_float16`, every player gets
                a loss scale of its own.
            on_nonfinite: What to do about a loss that is NaN or infinite.
                `"raise"` raises a `GameDivergedError` after the step, with
                the weights from before it; `"warn"` skips the step.
            update_state: Whether a player's own moves update its moving
                statistics and the like; a dict by player, or one for all.

        Raises:
            ValueError: for unknown strategies, players, outputs, losses or
                metrics, with the nearest spelling; for counts that do not
                match; for an optimizer shared by two players or in use.
            TypeError: for things of the wrong type.
        """
        given = {
            k: v for k, v in locals().items() if k not in ("self", "__class__")
        }
        strategy = optimizers.get(adversarial_optimizer)
        each = deal_optimizers(self.players, player_optimizers)
        update = update_state
        if not isinstance(update, Mapping):
            update = dict.fromkeys(self.players, bool(update))
        for name in update:
            if name not in self.players:
                raise unknown("player in `update_state`", name, self.players)
        monitor = DivergenceMonitor(list(self.players), on_nonfinite)
        self._compiled_with = given
        self._whole_loss = loss if isinstance(loss, AdversarialLoss) else None
        if all(p.output_names is not None for p in self.players.values()):
            self._make_objectives()
        strategy.bind(Game(Evaluator(self.players)), each)
        scaled = auto_scale_loss and _computes_in_float16(self)
        for name, optimizer in each.items():
            if scaled and not _is_scaled(optimizer):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            player = self.players[name]
            player.optimizer = optimizer
            player.update_state = update.get(name, True)
            optimizer.build(list(player.variables))
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
        given["adversarial_optimizer"] = strategy
        given["player_optimizers"] = each

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
        dealt: dict[str, Any] = {"loss": loss}
        if player_compile_kwargs is not None:
            if not isinstance(player_compile_kwargs, Mapping):
                player_compile_kwargs = dict(
                    zip(self.players, player_compile_kwargs, strict=True)
                )
            dealt["loss"] = dict.fromkeys(self.players, loss)
            for name, own in player_compile_kwargs.items():
                for argument, value in (own or {}).items():
                    if argument not in DEALT:
                        raise unknown(
                            "entry of `player_compile_kwargs`", argument, DEALT
                        )
                    dealt.setdefault(argument, {})[name] = value
        self.compile(
            adversarial_optimizer, player_optimizers, **dealt, **kwargs
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Returns the outputs in the order of the targets, as a flat list.

        One output alone is returned as it is. Players on a shared base model
        each have all of its outputs.
        """
        outputs: dict[int, list[Any]] = {}
        for player in self.players.values():
            if id(player.network) not in outputs:
                result = player.call(inputs, training=training)
                outputs[id(player.network)] = result
        flat = [
            y for p in self.players.values() for y in outputs[id(p.network)]
        ]
        return flat[0] if len(flat) == 1 else flat

    def train_step(self, data: Any) -> dict[str, Any]:
        """Plays one step of the strategy on a batch."""
        batch = self._batch(data, training=True)
        monitor = self._require_monitor()
        game = Game(
            Evaluator(self.players, self._whole_loss),
            batch,
            permitted=monitor.permitted(),
        )
        step = self.optimizer.iterations + 0
        self.optimizer(game)
        outcome = game.finish()
        monitor.note(list(outcome.finite.values()), step)
        return self._log(batch, outcome)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluates every player on a batch."""
        batch = self._batch(data, training=False)
        evaluator = Evaluator(self.players, self._whole_loss, training=False)
        values = read_all([*evaluator.state, *evaluator.noise])
        for player in self.players.values():
            values |= read_all(player.variables)
        found = evaluator(batch, list(self.players), values)
        for variable, value in found.noise.values():
            variable.assign(value)
        return self._log(batch, Outcome(found.losses, found.outputs, {}))

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the train function, which looks out for bad losses."""
        before = self.train_function
        super().make_train_function(force)
        if self.train_function is not before:
            monitor = self._require_monitor()
            self.train_function = monitor.wrap(self.train_function)
        return self.train_function

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
                compiled with `on_nonfinite="warn"`.
        """
        self._require_monitor()
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = list(keras.tree.flatten(callbacks or []))
            bars = keras.callbacks.ProgbarLogger
            if verbose and not any(isinstance(c, bars) for c in callbacks):
                callbacks.append(PlayerProgress(list(self.players)))
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, **kwargs
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does; see there.

        Returns:
            A dict by name with `return_dict=True`, else a list in the order
            of `metrics_names`.
        """
        self._require_monitor()
        as_dict = kwargs.pop("return_dict", False)
        logs = super().evaluate(*args, return_dict=True, **kwargs)
        return logs if as_dict else [logs[n] for n in self.metrics_names]

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Plays one step as `keras.Model.train_on_batch` does; see there."""
        self._require_monitor()
        as_dict = kwargs.pop("return_dict", False)
        logs = super().train_on_batch(*args, return_dict=True, **kwargs)
        return logs if as_dict else [logs[n] for n in self.metrics_names]

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates a batch as `keras.Model.test_on_batch` does; see there."""
        self._require_monitor()
        as_dict = kwargs.pop("return_dict", False)
        logs = super().test_on_batch(*args, return_dict=True, **kwargs)
        return logs if as_dict else [logs[n] for n in self.metrics_names]

    @property
    def output_names(self) -> list[str]:
        """The names of outputs and targets, in order."""
        return self.players.targets

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean of the total loss, then the metrics of each player."""
        found = [self._total]
        for player in self.players.values():
            if hasattr(player, "objective"):
                found.extend(player.objective.metrics)
        return found

    @property
    def metrics_names(self) -> list[str]:
        """The names of the logs, in order, once a batch was seen."""
        return list(self.get_metrics_result())

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the current value of every log."""
        logs = {"loss": self._total.result()}
        for player in self.players.values():
            if hasattr(player, "objective"):
                logs.update(player.objective.results())
        return logs

    def summary(self, print_fn: Any = None, **kwargs: Any) -> None:
        """Prints a table of the players, then Keras' summary of each network.

        Args:
            print_fn: Called with each text; `print` by default.
            **kwargs: Arguments of `keras.Model.summary`.
        """
        (print_fn or print)(player_table(self.name, self.players))
        for network in self.networks:
            network.summary(print_fn=print_fn, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the networks, each layer once, and who owns what."""
        variables = self._all_variables()
        numbers = {id(v): i for i, v in enumerate(variables)}
        networks = {id(n): i for i, n in enumerate(self.networks)}
        return {
            "name": self.name,
            "networks": record(self.networks),
            "variables": [[v.name, list(v.shape)] for v in variables],
            "players": [
                {
                    "name": p.name,
                    "network": networks[id(p.network)],
                    "variables": [numbers[id(v)] for v in p.variables],
                }
                for p in self.players.values()
            ],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialModel:
        """Remakes the model; layers that players share stay shared.

        Raises:
            ValueError: if the networks came back with other variables.
        """
        networks = replay(config["networks"])
        found = {id(v): v for n in networks for v in n.variables}
        variables = list(found.values())
        shapes = [[v.name, list(v.shape)] for v in variables]
        if shapes != [list(entry) for entry in config["variables"]]:
            raise ValueError(
                conversation(
                    "The networks were not remade as they were saved.",
                    expected=f"{len(config['variables'])} variables.",
                    received=f"{len(shapes)} variables, or other shapes.",
                    fix="in `get_config` of your own layers and models, "
                    "describe everything that makes variables.",
                )
            )
        saved = config["players"]
        models = [networks[entry["network"]] for entry in saved]
        one = len(networks) == 1
        return cls(
            base_model=networks[0] if one else None,
            player_models=None if one else models,
            player_params=[
                [variables[i] for i in entry["variables"]] for entry in saved
            ],
            player_names=[entry["name"] for entry in saved],
            name=config["name"],
        )

    def save_own_variables(self, store: Any) -> None:
        """Saves the random state of the networks, which Keras leaves out."""
        for number, variable in enumerate(self._random_state()):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads the random state of the networks.

        Raises:
            ValueError: if the networks have another number of random states.
        """
        found = self._random_state()
        if len(store.keys()) != len(found):
            raise ValueError(
                conversation(
                    "The saved random state is not one of these networks.",
                    expected=f"{len(found)} states.",
                    received=f"{len(store.keys())}.",
                )
            )
        for number, variable in enumerate(found):
            variable.assign(store[str(number)])

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the arguments of `compile`, for saving."""
        if not self.compiled:
            return {}
        config: dict[str, Any] = keras.saving.serialize_keras_object(
            dict(self._compiled_with)
        )
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as it was compiled when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def _all_variables(self) -> list[keras.Variable]:
        found = {id(v): v for n in self.networks for v in n.variables}
        return list(found.values())

    def _random_state(self) -> list[keras.Variable]:
        return [v for v in self._all_variables() if is_random_state(v)]

    def _require_monitor(self) -> DivergenceMonitor:
        if self._monitor is None:
            raise ValueError(
                conversation(
                    "The model must be compiled first.",
                    fix="call `model.compile(adversarial_optimizer, "
                    "player_optimizers, loss)`.",
                )
            )
        return self._monitor

    def _make_objectives(self) -> None:
        for player in self.players.values():
            dealt = {
                argument: deal(self.players, player, given, argument)
                for argument in DEALT
                if not isinstance(
                    given := self._compiled_with[argument], AdversarialLoss
                )
            }
            player.objective = Objective(
                player.name, player.output_names or [], **dealt
            )

    def _batch(self, data: Any, *, training: bool) -> Batch:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        objectives = [
            getattr(p, "objective", None) for p in self.players.values()
        ]
        ready = all(o is not None and o.ready for o in objectives)
        outputs = {}
        if not ready:
            outputs = self._probe(x, training=training)
            if None in objectives:
                with backend.concrete():
                    self._make_objectives()
        needed = any(
            p.objective.reads_loss or p.objective.reads_metrics
            for p in self.players.values()
        )
        batch = split_batch(self.players, x, y, sample_weight, targets=needed)
        for name, found in outputs.items():
            self.players[name].objective.prepare(
                batch.targets.get(name), found, batch.weights.get(name)
            )
        return batch

    def _probe(self, x: Any, *, training: bool) -> dict[str, list[Any]]:
        """Calls every network once for the shapes of its outputs."""
        outputs = {}
        for player in self.players.values():
            with keras.StatelessScope():
                outputs[player.name] = player.call(x, training=training)
        return outputs

    def _log(self, batch: Batch, outcome: Outcome) -> dict[str, Any]:
        total = sum(outcome.losses.values())
        size = keras.ops.shape(next(iter(outcome.outputs.values()))[0])[0]
        self._total.update_state(total, sample_weight=size)
        for name, player in self.players.items():
            player.objective.update(
                batch.targets.get(name),
                outcome.outputs[name],
                batch.weights.get(name),
                loss=outcome.losses[name],
            )
        return self.get_metrics_result()


def _computes_in_float16(model: keras.Model) -> bool:
    return any(
        layer.compute_dtype == "float16"
        for network in model.networks
        for layer in [network, *network.layers]
    )


def _is_scaled(optimizer: Any) -> bool:
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
