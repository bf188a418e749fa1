"""Spectral normalisation as a reparametrisation."""

from __future__ import annotations

import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.backend.scopes import in_scope
from adversarial.errors import conversation
from adversarial.layers.positive import positive, positive_whole
from adversarial.layers.reparametrized import Reparametrized
from adversarial.registry import register

Tensor = Any


@register("layers")
class SpectralNormalization(Reparametrized):
    """Divides the kernel of a layer by its largest singular value.

    When you want it: to bound the Lipschitz constant of a discriminator, and
    also of a generator. The kernel that the optimizer moves is the stored one,
    W; the layer computes with W / sigma:

        M = W as a matrix, one column per output channel  (see `as_matrix`)
        u <- normalize(M^T normalize(M u))     in training, a constant
        sigma = |M u| = v^T M u,  v = normalize(M u)
        y = layer with the kernel W / sigma

    Facts:
        The gradient flows through sigma: d sigma / d M = v u^T. The vector u
        is a constant in it and a non-trainable variable. In an
        `AdversarialModel` it belongs to the player that owns the kernel: all
        calls of one evaluation see one u, and it takes one update per step of
        this player; the steps of others and virtual evaluations leave it. In
        any other model each call in training mode updates it. At inference
        and while `trainable` is `False` it is used as it is.

        For convolutions, sigma is the largest singular value of the reshaped
        kernel, as in the paper. It is not the norm of the convolution as a
        linear map, which also depends on strides and padding, and can be up
        to sqrt(window size) times as large for stride 1.

        The kernel of a `DepthwiseConv` becomes a matrix (window, inputs * each)
        as that of a grouped convolution does elsewhere; its norm is an upper
        bound of that of each channel's own filters.

    Args:
        layer: A `Dense`, `Embedding`, `Conv1D`, `Conv2D` or `Conv3D` layer, a
            transposed or a depthwise one.
        power_iterations: How often a training step refines u, a whole number
            above 0. One is enough while the kernel moves slowly.
        epsilon: Below this norm a kernel counts as 0. It is left as it is
            then, and so is u.
        **kwargs: Arguments of `keras.layers.Layer`, without `dtype`.

    Raises:
        TypeError: for another layer.
        ValueError: if `power_iterations` or `epsilon` is not positive.

    Input and output: those of the layer.

    Example:

    >>> import adversarial, keras, numpy
    >>> dense = keras.layers.Dense(3)
    >>> layer = adversarial.layers.SpectralNormalization(dense)
    >>> y = layer(numpy.ones((8, 5)))
    >>> layer.refine()
    >>> norm = numpy.linalg.norm(layer.effective_kernel(), 2)
    >>> print(f"{norm:.3f}")
    1.000

    References:
        - Miyato, Kataoka, Koyama, Yoshida, Spectral Normalization for
          Generative Adversarial Networks, ICLR 2018, arXiv 1802.05957,
          equations (8), (10) to (12), algorithm 1.

    Differs from the paper: v follows from u instead of being kept beside it,
    so that what is computed at inference is what the last training step
    computed. The first derivative is that of a constant v; second derivatives
    are those of |M u|, which a constant v would miss.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        power_iterations: int = 1,
        epsilon: float = 1e-12,
        **kwargs: Any,
    ) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_whole(
            "power_iterations", power_iterations
        )
        self.epsilon = positive("epsilon", epsilon)
        self._seen_kernel: Any = _nothing
        self._written_u: Any = _nothing

    def build(self, input_shape: Any = None) -> None:
        """Makes the layer's variables and u, a random unit vector."""
        super().build(input_shape)
        self.u = self.add_weight(
            name="u",
            shape=(self.columns,),
            initializer=_random_direction,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )
        self.built = True

    def effective(self, kernel: Tensor, training: bool) -> Tensor:
        """Returns W / sigma; in training after an update of u."""
        matrix = self._matrix(kernel)
        if training and self.trainable:
            u = self._update(matrix)
        else:
            u = backend.read(self.u)
        u = ops.stop_gradient(ops.cast(u, matrix.dtype))
        sigma = _norm(ops.matmul(matrix, u), self.epsilon)
        return ops.cast(ops.cast(kernel, sigma.dtype) / sigma, kernel.dtype)

    def refine(self) -> None:
        """Sets u to the singular vector of the stored kernel, now.

        You want it after you have set a kernel yourself, or before you use a
        layer that was never trained. Not for the inside of a compiled step.

        Raises:
            ValueError: if the layer is not built.
        """
        if not self.built:
            raise ValueError(
                conversation(
                    f"`{self.name}` has no kernel yet.",
                    fix="call or build the layer first.",
                )
            )
        matrix = ops.convert_to_numpy(self._matrix(backend.read(self.kernel)))
        if np.abs(matrix).max() > self.epsilon:
            _, _, rows = np.linalg.svd(matrix, full_matrices=False)
            self.u.assign(rows[0])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "power_iterations": self.power_iterations,
            "epsilon": self.epsilon,
        }

    def _matrix(self, kernel: Tensor) -> Tensor:
        dtype = keras.backend.result_type(kernel.dtype, "float32")
        return self.as_matrix(ops.cast(kernel, dtype))

    def _update(self, matrix: Tensor) -> Tensor:
        """Refines u, once for all calls that see the same values.

        In a `StatelessScope` a later call reads the very tensor that the first
        one wrote, with the very same kernel: then the update has been made.
        """
        kernel, u = self.kernel.value, self.u.value
        # Outside of one, JAX gives what was written as long as it stands.
        same = u is self._written_u() and kernel is self._seen_kernel()
        if same and in_scope():
            return u
        start = ops.cast(backend.read(self.u), matrix.dtype)
        u = self.u.assign(self._iterate(matrix, start, self.power_iterations))
        self._seen_kernel = weakref.ref(kernel)
        self._written_u = weakref.ref(u)
        return u

    def _iterate(self, matrix: Tensor, u: Tensor, iterations: int) -> Tensor:
        matrix = ops.stop_gradient(matrix)
        old = ops.stop_gradient(u)
        u = old
        for _ in range(iterations):
            v = ops.matmul(matrix, u)
            u = ops.matmul(v / _norm(v, self.epsilon), matrix)
            u = u / _norm(u, self.epsilon)
        # Of a kernel of zeros, u would come out as 0 and stay there.
        u = ops.where(ops.sum(u * u) > 0.5, u, old)
        return ops.cast(u, self.u.dtype)


def _nothing() -> None:
    """A reference to nothing."""


def _norm(x: Tensor, epsilon: float) -> Tensor:
    """The norm, or 1 where it is below epsilon; also to be differentiated."""
    peak = ops.stop_gradient(ops.max(ops.abs(x)))
    big = peak > epsilon
    # Scaled, squares neither under- nor overflow.
    peak = ops.where(big, peak, 1.0)
    x = ops.where(big, x / peak, ops.ones_like(x))
    norm = peak * ops.sqrt(ops.sum(x * x))
    return ops.where(big, norm, ops.ones_like(norm))


def _random_direction(shape: Any, dtype: Any = None) -> Tensor:
    x = keras.random.normal(shape, dtype=dtype or keras.config.floatx())
    return x / ops.norm(x)
