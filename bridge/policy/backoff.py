"""Growing intervals."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Intervals in seconds that double from `first` to `most`, each shortened by up to a fifth so that leads spread."""

    first: float
    most: float

    def interval(self, step: int, jitter: float) -> float:
        """Seconds before step 0, 1, 2 …; `jitter` is a random number from [0, 1)."""
        doubled = self.first * 2.0 ** min(step, 60)
        return min(doubled, self.most) * (1 - 0.2 * jitter)
