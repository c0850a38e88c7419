"""The call that the running code belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .call import Call

CALL: ContextVar[Call | None] = ContextVar("call", default=None)
