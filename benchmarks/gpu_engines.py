"""The engines that are compared, how they are called, and what the driver of devices does while they run."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpusim.engine.backend import devices_of
from gpusim.engine.batch import run_batch
from gpusim.engine.device_arrays import Allocation
from gpusim.engine.result import BatchResult
from gpusim.engine.spec import RunSpec

HOST: Mapping[str, Any] = {"backend": "cpu"}
ENGINES: dict[str, Mapping[str, Any]] = {
    "cuda": {"backend": "cuda"},
    "cupy": {"backend": "cupy"},
    "emulated": {"backend": "cpu", "lanes": 32},
}
"""Options of `run_batch`. `emulated` is the device's program on the host: for rehearsals, never for figures."""
TINY_SLICE = 64
"""Events of a slice so short that every run is stored and taken up again many times."""


def call(engine: Mapping[str, Any], spec: RunSpec, batch: Mapping[str, Any]) -> BatchResult:
    """Run a batch on an engine."""
    return run_batch(spec, **batch, **engine)


def call_staying(engine: Mapping[str, Any], spec: RunSpec, batch: Mapping[str, Any]) -> BatchResult:
    """As `call`; but on a device the cells lie in its memory, and the results are copied to the host only here."""
    devices = devices_of(engine["backend"])
    if not devices:
        return call(engine, spec, batch)
    there = {k: _lying_on(devices[0], v) if isinstance(v, np.ndarray) else v for k, v in batch.items()}
    return run_batch(spec, **there, **engine, on_device=True).to_host()


def _lying_on(device: Any, values: np.ndarray[Any, Any]) -> Any:
    owner = Allocation(device, values.nbytes)
    device.upload(owner.address, values)
    # An upload may return early, and CuPy reads on a stream of its own. This waits.
    device.download(owner.address, np.empty_like(values))
    return device.array(owner.address, values.shape, values.dtype, owner)


@dataclass
class Watch:
    """What was seen of the driver: nothing of it if the engine has none.

    Attributes
    ----------
    rounds, launches : int
        Batches put on a device, and slices of them.
    busy : float
        From the start of each launch to its end [s].
    workers, processors : int
        Warps of the largest round, and multiprocessors of its device; 0 unknown.
    family : str
    """

    rounds: int = 0
    launches: int = 0
    busy: float = 0.0
    workers: int = 0
    processors: int = 0
    family: str = ""
    _begun: dict[int, float] = field(default_factory=dict)

    def opened(self, share: Any) -> None:
        self.rounds += 1
        if share.workers >= self.workers:
            self.workers, self.processors = int(share.workers), int(share.device.processors)
            self.family = str(share.planned["family"])

    def launched(self, share: Any) -> None:
        self.launches += 1
        self._begun[id(share)] = time.perf_counter()

    def waited(self, share: Any) -> None:
        self.busy += time.perf_counter() - self._begun.pop(id(share), time.perf_counter())


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """See what the driver does meanwhile; see `Watch`."""
    watch = Watch()
    try:
        from gpusim.engine.device_share import Share
    except ImportError:  # a build without the driver
        yield watch
        return
    kept = {name: getattr(Share, name) for name in ("open", "launch", "wait")}
    Share.open = _with(kept["open"], after=watch.opened)
    Share.launch = _with(kept["launch"], before=watch.launched)
    Share.wait = _with(kept["wait"], after=watch.waited)
    try:
        yield watch
    finally:
        for name, method in kept.items():
            setattr(Share, name, method)


def _with(
    method: Callable[..., Any],
    before: Callable[[Any], None] = lambda share: None,
    after: Callable[[Any], None] = lambda share: None,
) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(share: Any, *args: Any, **options: Any) -> Any:
        before(share)
        result = method(share, *args, **options)
        after(share)
        return result

    return wrapped


@contextlib.contextmanager
def tiny_slices() -> Iterator[bool]:
    """Slices of `TINY_SLICE` events meanwhile; gives False where the driver has no slices to be shortened."""
    try:
        from gpusim.engine import device
    except ImportError:
        yield False
        return
    kept = device.Slices
    device.Slices = functools.partial(kept, first=TINY_SLICE, least=TINY_SLICE, most=TINY_SLICE)
    try:
        yield True
    finally:
        device.Slices = kept
