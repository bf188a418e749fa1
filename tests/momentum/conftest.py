"""What the tests of momentum need of the engine."""

from engines import values_only as values_only
