"""Turns of processes that run tests side by side (``pytest -n``): a test marked ``alone`` has no other beside it.

Everybody else shares the room. Who waits to be alone keeps the door shut, so the others cannot keep it waiting.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """Two lock files in a folder that all processes of one run know."""

    def __init__(self, folder: Path) -> None:
        self.door = (folder / "door").open("w")
        self.room = (folder / "room").open("w")

    def close(self) -> None:
        self.door.close()
        self.room.close()

    @contextmanager
    def taken(self, alone: bool) -> Iterator[None]:
        """Wait for a turn and keep it for the length of the block."""
        fcntl.flock(self.door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self.room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self.door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self.room, fcntl.LOCK_UN)
