"""The composition root: the one place that reads settings and wires the parts together."""

from bridge.app.root import App, steady_clock

__all__ = ["App", "steady_clock"]
