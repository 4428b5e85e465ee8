"""Ctrl-C while training: finish the steps under way, then stop, with what was learnt so far."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """While this context lasts, the first Ctrl-C only sets ``requested``; a second one interrupts at once and sets
    ``insisted``.

    Only the main thread receives signals; elsewhere nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self.insisted = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            # A handler that is not Python's own belongs to someone who wants to decide about Ctrl-C.
            if before is signal.default_int_handler:
                self._before = before
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.insisted = True
            raise KeyboardInterrupt
        self.requested = True
