"""A small GAN, and a maker of every strategy."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

import adversarial
from adversarial import optimizers as o, registry

DIRECTION = {"tolerance": 1e-2, "max_iterations": 1}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "alternating": {"steps": {"discriminator": 2}},
    "averaging": {"inner": "simultaneous"},
    "balanced": {"skip": {"discriminator": (1.95, "generator")}},
    "competitive_gradient": DIRECTION,
    "follow_the_ridge": {"leader": "generator", **DIRECTION},
    "gradient_norm": {"weights": {"discriminator": {"generator": 0.1}}},
    "historical_averaging": {"inner": "simultaneous"},
    "lookahead": {"period": 2},
    "phases": {"phases": [[1, "simultaneous"], "optimistic"]},
    "prediction": {"two_sided": True},
    "runge_kutta": {"tableau": "heun"},
    "scheduled": {"schedule": ["discriminator", "generator"]},
    "stackelberg_gradient": {"leader": "generator", **DIRECTION},
    "unrolled": {"depth": 1},
}
OTHERS: dict[str, Callable[[], Any]] = {
    "adaptive competitive_gradient": lambda: o.CompetitiveGradient(
        adaptive=True, **DIRECTION
    ),
    "anderson of simultaneous": lambda: o.Anderson("simultaneous"),
    "extra_gradient from the past": lambda: o.ExtraGradient(reuse_past=True),
    "extra_gradient on fresh batches": lambda: o.ExtraGradient(
        fresh_batch=True
    ),
    "historical_averaging of scheduled": lambda: o.HistoricalAveraging(
        o.Scheduled(["discriminator", "generator"])
    ),
    "phases of scheduled": lambda: nested_switch(),
    "unrolled once more": lambda: o.Unrolled(1, rematerialize=True),
    "unrolled constants": lambda: o.Unrolled(2, through=False),
}


def nested_switch() -> Any:
    """A switch within a switch."""
    schedule = o.Scheduled(["discriminator", "generator"])
    return o.Phases([(1, "simultaneous"), schedule])


def strategies() -> dict[str, Callable[[], Any]]:
    """Makers of all registered strategies, by name."""
    named = {registry.snake_case(name): getattr(o, name) for name in o.__all__}
    return {
        name: lambda name=name: named[name](**ARGUMENTS.get(name, {}))
        for name in registry.names("optimizers")
    }


def gan(
    discriminator: Any = None, latent: Any = False, penalties: Any = None
) -> Any:
    """A generator and a discriminator of a few weights."""
    g = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    d = discriminator or keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, "tanh", use_bias=False),
            layers.Dense(1),
        ]
    )
    more = {"penalties": penalties(d)} if penalties else {}
    base = adversarial.builders.build_gan(g, d, latent=latent, **more)
    return adversarial.AdversarialModel(
        base, player_params={"generator": g, "discriminator": d}
    )


def optimizers() -> list[Any]:
    """One with momentum, and one with a state that depends on the scale."""
    return [
        keras.optimizers.SGD(0.05, momentum=0.5, clipnorm=0.3),
        keras.optimizers.Adam(0.01, 0.5, 0.75, 1e-3, weight_decay=0.01),
    ]
