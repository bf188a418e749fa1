"""A GAN trained by a loop that is written by hand for JAX."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
from networks import LATENT


def values(variables: list[keras.Variable]) -> list[Any]:
    return [v.value for v in variables]


def alternating(
    generator: keras.Model, discriminator: keras.Model, x: Any, batch: int
) -> Callable[[], None]:
    """Discriminator, then generator, on the same latents, in one program.

    Args:
        generator: A built model.
        discriminator: A built model that gives logits.
        x: The samples of an epoch.
        batch: How many make a batch.

    Returns:
        A function that trains an epoch, and waits for its end.
    """
    networks = (generator, discriminator)
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in networks]
    for optimizer, network in zip(optimizers, networks, strict=True):
        optimizer.build(network.trainable_variables)

    def called(network: Any, own: Any, rest: Any, data: Any) -> Any:
        return network.stateless_call(own, rest, data, training=True)

    def softplus_mean(scores: Any) -> Any:
        return jnp.mean(jax.nn.softplus(scores.astype("float32")))

    def step(state: Any, key: Any, real: Any) -> Any:
        (g, g_rest, g_opt), (d, d_rest, d_opt) = state
        z = jax.random.normal(key, (real.shape[0], LATENT))
        made, g_rest = called(generator, g, g_rest, z)

        def loss_d(own: Any, rest: Any) -> Any:
            fake, rest = called(discriminator, own, rest, made)
            true, rest = called(discriminator, own, rest, real)
            return softplus_mean(fake) + softplus_mean(-true), rest

        (cost_d, d_rest), slopes = jax.value_and_grad(loss_d, has_aux=True)(
            d, d_rest
        )
        d, d_opt = optimizers[1].stateless_apply(d_opt, slopes, d)

        def loss_g(own: Any, rest: Any, others: Any) -> Any:
            again, rest = called(generator, own, rest, z)
            fake, others = called(discriminator, d, others, again)
            return softplus_mean(-fake), (rest, others)

        (cost_g, (g_rest, d_rest)), slopes = jax.value_and_grad(
            loss_g, has_aux=True
        )(g, g_rest, d_rest)
        g, g_opt = optimizers[0].stateless_apply(g_opt, slopes, g)
        return ((g, g_rest, g_opt), (d, d_rest, d_opt)), cost_g + cost_d

    compiled = jax.jit(step, donate_argnums=0)
    held = [
        tuple(
            (
                values(network.trainable_variables),
                values(network.non_trainable_variables),
                values(optimizer.variables),
            )
            for network, optimizer in zip(networks, optimizers, strict=True)
        ),
        jax.random.key(0),
    ]

    def epoch() -> None:
        for start in range(0, len(x), batch):
            held[1], key = jax.random.split(held[1])
            held[0], cost = compiled(held[0], key, x[start : start + batch])
        jax.block_until_ready(cost)

    return epoch
