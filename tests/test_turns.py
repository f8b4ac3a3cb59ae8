"""Tests that run side by side share the room; one that must be alone has it to itself, and soon."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from turns import Turns


@contextmanager
def turn(folder: Path, alone: bool) -> Iterator[None]:
    with closing(Turns(folder)) as turns, turns.taken(alone):
        yield


def enter(folder: Path, alone: bool, name: str, entered: list[str]) -> threading.Thread:
    """Somebody else, who stays for a moment; a lock belongs to the file as it was opened, so a thread will do."""

    def visit() -> None:
        with turn(folder, alone):
            entered.append(name)

    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    return thread


def test_others_share_the_room(tmp_path: Path) -> None:
    entered: list[str] = []
    with turn(tmp_path, alone=False):
        enter(tmp_path, False, "other", entered).join(timeout=30)
        assert entered == ["other"]


def test_nobody_is_beside_the_one_who_is_alone(tmp_path: Path) -> None:
    entered: list[str] = []
    with turn(tmp_path, alone=True):
        others = [enter(tmp_path, alone, "other", entered) for alone in (False, True)]
        others[0].join(timeout=0.1)
        assert entered == []
    for other in others:
        other.join(timeout=30)
    assert entered == ["other", "other"]


def test_who_waits_to_be_alone_is_next(tmp_path: Path) -> None:
    entered: list[str] = []
    with turn(tmp_path, alone=False):
        alone = enter(tmp_path, True, "alone", entered)
        while is_open(tmp_path / "door"):
            time.sleep(0.001)
        late = enter(tmp_path, False, "late", entered)
        late.join(timeout=0.1)
        assert entered == []
    alone.join(timeout=30)
    late.join(timeout=30)
    assert entered == ["alone", "late"]


def is_open(door: Path) -> bool:
    with door.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
