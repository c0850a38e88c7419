"""How much may be done in a second."""

from collections.abc import Callable
from time import monotonic


class Budget:
    """Grants so many in each second, counted from the first one."""

    __slots__ = ("_per_second", "_now", "_until", "_left")

    def __init__(self, per_second: int, now: Callable[[], float] = monotonic):
        self._per_second, self._now = per_second, now
        self._until = float("-inf")
        self._left = 0

    def take(self) -> bool:
        time = self._now()
        if time >= self._until:
            self._until = time + 1
            self._left = self._per_second
        if self._left == 0:
            return False
        self._left -= 1
        return True
