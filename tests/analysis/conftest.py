"""The synthetic series of the figures' tests."""

from tests.figures.conftest import runs, series  # noqa: F401
