"""A GAN trained by a loop that is written by hand for PyTorch."""

from collections.abc import Callable
from typing import Any

import keras
import torch
from networks import LATENT
from torch.nn.functional import softplus


def alternating(
    generator: keras.Model, discriminator: keras.Model, x: Any, batch: int
) -> Callable[[], None]:
    """Discriminator, then generator, on the same latents, with `torch.optim`.

    Args:
        generator: A built model.
        discriminator: A built model that gives logits.
        x: The samples of an epoch.
        batch: How many make a batch.

    Returns:
        A function that trains an epoch, and waits for its end.
    """
    device = next(generator.parameters()).device
    optimizers = [
        torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]

    def minimise(loss: Any, player: int) -> Any:
        loss = loss.mean(dtype=torch.float32)
        optimizers[player].zero_grad()
        loss.backward()
        optimizers[player].step()
        return loss.detach()

    def epoch() -> None:
        for start in range(0, len(x), batch):
            real = torch.from_numpy(x[start : start + batch]).to(device)
            z = torch.randn(len(real), LATENT, device=device)
            made = generator(z, training=True)
            fake = discriminator(made.detach(), training=True)
            true = discriminator(real, training=True)
            cost = minimise(softplus(fake) + softplus(-true), 1)
            fake = discriminator(generator(z, training=True), training=True)
            cost = cost + minimise(softplus(-fake), 0)
        float(cost)

    return epoch
