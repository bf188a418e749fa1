"""Ways to train a GAN: this library, and what people write by hand.

Each takes the two networks and an endless `tf.data.Dataset` of batches, and
returns a function that makes one step. All use binary cross-entropy from
logits and one Keras Adam per network.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from networks import LATENT

import adversarial

Step = Callable[[], Any]


def adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def bce() -> keras.losses.Loss:
    return keras.losses.BinaryCrossentropy(from_logits=True)


def library(strategy: Callable[[], Any]) -> Callable[..., Step]:
    """This library, as a user compiles it."""

    def make(
        generator: keras.Model,
        discriminator: keras.Model,
        data: tf.data.Dataset,
    ) -> Step:
        model = adversarial.AdversarialModel(
            base_model=adversarial.builders.build_gan(generator, discriminator),
            player_params={
                "generator": generator,
                "discriminator": discriminator,
            },
        )
        model.compile(strategy(), [adam(), adam()], bce())
        targets = tuple(map(tf.constant, adversarial.builders.gan_targets(128)))
        return _keras_step(model, data.map(lambda x: (x, targets)))

    return make


def hand_simultaneous(
    generator: keras.Model, discriminator: keras.Model, data: tf.data.Dataset
) -> Step:
    """A tuned loop: one shared forward pass, both steps at one point."""
    loss, opt_g, opt_d = bce(), adam(), adam()
    opt_g.build(generator.trainable_variables)
    opt_d.build(discriminator.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x: Any) -> Any:
        n = tf.shape(x)[0]
        z = tf.random.normal((n, LATENT))
        ones, zeros = tf.ones((n, 1)), tf.zeros((n, 1))
        with tf.GradientTape() as tape_g, tf.GradientTape() as tape_d:
            fake = discriminator(generator(z, training=True), training=True)
            real = discriminator(x, training=True)
            loss_g = loss(ones, fake) + loss(zeros, real)
            loss_d = loss(zeros, fake) + loss(ones, real)
        grads_g = tape_g.gradient(loss_g, generator.trainable_variables)
        grads_d = tape_d.gradient(loss_d, discriminator.trainable_variables)
        opt_g.apply(grads_g, generator.trainable_variables)
        opt_d.apply(grads_d, discriminator.trainable_variables)
        return loss_g, loss_d

    return _loop_step(step, data)


def hand_alternating(
    generator: keras.Model, discriminator: keras.Model, data: tf.data.Dataset
) -> Step:
    """A tuned loop: discriminator, then generator, on the same latents."""
    loss, opt_g, opt_d = bce(), adam(), adam()
    opt_g.build(generator.trainable_variables)
    opt_d.build(discriminator.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x: Any) -> Any:
        n = tf.shape(x)[0]
        z = tf.random.normal((n, LATENT))
        ones, zeros = tf.ones((n, 1)), tf.zeros((n, 1))
        made = generator(z, training=True)
        with tf.GradientTape() as tape:
            fake = discriminator(made, training=True)
            real = discriminator(x, training=True)
            loss_d = loss(zeros, fake) + loss(ones, real)
        grads = tape.gradient(loss_d, discriminator.trainable_variables)
        opt_d.apply(grads, discriminator.trainable_variables)
        with tf.GradientTape() as tape:
            fake = discriminator(generator(z, training=True), training=True)
            loss_g = loss(ones, fake)
        grads = tape.gradient(loss_g, generator.trainable_variables)
        opt_g.apply(grads, generator.trainable_variables)
        return loss_g, loss_d

    return _loop_step(step, data)


class KerasStyle(keras.Model):
    """A `train_step` override in the style of the keras.io guides."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model):
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.seeds = keras.random.SeedGenerator(1)
        self.mean_g = keras.metrics.Mean(name="g_loss")
        self.mean_d = keras.metrics.Mean(name="d_loss")
        self.built = True

    def compile(self, **kwargs: Any) -> None:
        super().compile(**kwargs)
        self.opt_g, self.opt_d, self.criterion = adam(), adam(), bce()

    @property
    def metrics(self) -> list[Any]:
        return [self.mean_g, self.mean_d]

    def train_step(self, data: Any) -> dict[str, Any]:
        real = data[0] if isinstance(data, tuple) else data
        n = tf.shape(real)[0]
        z = keras.random.normal((n, LATENT), seed=self.seeds)
        combined = tf.concat([self.generator(z, training=True), real], 0)
        labels = tf.concat([tf.zeros((n, 1)), tf.ones((n, 1))], 0)
        with tf.GradientTape() as tape:
            scores = self.discriminator(combined, training=True)
            loss_d = self.criterion(labels, scores)
        weights = self.discriminator.trainable_weights
        self.opt_d.apply(tape.gradient(loss_d, weights), weights)
        z = keras.random.normal((n, LATENT), seed=self.seeds)
        with tf.GradientTape() as tape:
            made = self.generator(z, training=True)
            scores = self.discriminator(made, training=True)
            loss_g = self.criterion(tf.ones((n, 1)), scores)
        weights = self.generator.trainable_weights
        self.opt_g.apply(tape.gradient(loss_g, weights), weights)
        self.mean_g.update_state(loss_g)
        self.mean_d.update_state(loss_d)
        return {m.name: m.result() for m in self.metrics}


def keras_style(
    generator: keras.Model, discriminator: keras.Model, data: tf.data.Dataset
) -> Step:
    """The keras.io way: two draws of latents, one joined batch for D."""
    model = KerasStyle(generator, discriminator)
    model.compile()
    return _keras_step(model, data)


def _keras_step(model: keras.Model, data: tf.data.Dataset) -> Step:
    model.make_train_function()
    batches = iter(data)
    return lambda: model.train_function(batches)


def _loop_step(step: Callable[[Any], Any], data: tf.data.Dataset) -> Step:
    batches = iter(data)
    return lambda: step(next(batches))


LOOPS = {
    "simultaneous": library(adversarial.optimizers.Simultaneous),
    "alternating": library(
        lambda: adversarial.optimizers.Alternating(
            order=["discriminator", "generator"]
        )
    ),
    "hand-simultaneous": hand_simultaneous,
    "hand-alternating": hand_alternating,
    "keras-style": keras_style,
}
