"""The composition root: the one place that reads settings and wires the parts together."""

from bridge.app.root import App, steady_clock
from bridge.app.sides import Sides

__all__ = ["App", "Sides", "steady_clock"]
