"""Arrays of a device: what they say to other libraries, their views, and what of the cells is used where it lies."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device_columns import Column
from emulated_device import EmulatedDevice, emulated
from gpusim.engine import cuda
from gpusim.engine.batch import run_batch
from gpusim.engine.cupy import CupyDevice
from gpusim.engine.device_arrays import Allocation, DeviceArray
from gpusim.engine.host_array import address_in_place, as_given, device_index, to_host
from test_cuda_module import pretended  # noqa: F401  (a fixture)
from test_cupy_device import Pretence, pretence  # noqa: F401  (a fixture)
from test_device_contract import sliced, unequal
from test_device_driver import spec_of

# ---- the array --------------------------------------------------------------------------------------------------


def array_of(values: Any, device: EmulatedDevice | None = None) -> DeviceArray:
    device = device or EmulatedDevice()
    given = np.array(values)
    owner = Allocation(device, given.nbytes)
    device.upload(owner.address, given)
    return DeviceArray(device, owner.address, given.shape, given.dtype, owner)


def test_it_says_where_it_lies_as_the_interface_wants_it() -> None:
    array = array_of(np.arange(12, dtype=np.int32).reshape(3, 4))
    facts = array.__cuda_array_interface__
    assert (facts["shape"], facts["typestr"], facts["version"]) == ((3, 4), "<i4", 3)
    assert facts["strides"] is None
    assert facts["stream"] is None
    address, read_only = facts["data"]
    assert not read_only
    assert address % 256 == 0
    assert (array.ndim, len(array), array.nbytes) == (2, 3, 48)
    flags = array_of(np.zeros(3, np.bool_))
    assert flags.__cuda_array_interface__["typestr"] == "|b1"


@pytest.mark.parametrize(
    "rows", [0, 2, -1, slice(1, 3), slice(None, 2), slice(2, 1), slice(5, 9), np.int64(1)]
)
def test_rows_are_views(rows: Any) -> None:
    host = np.arange(24, dtype=np.int64).reshape(3, 2, 4)
    array = array_of(host)
    view = array[rows]
    assert np.array_equal(view.get(), host[rows])
    assert view.shape == host[rows].shape
    if view.nbytes:
        offset = view.__cuda_array_interface__["data"][0] - array.__cuda_array_interface__["data"][0]
        assert 0 <= offset <= array.nbytes - view.nbytes


def test_it_can_be_gone_through_row_by_row() -> None:
    assert [int(row.get()) for row in array_of([3, 1, 2])] == [3, 1, 2]


@pytest.mark.parametrize(
    "rows", [slice(None, None, 2), slice(None, None, -1), (0, 1), [0, 1], 1.0, True, "a"]
)
def test_anything_else_is_for_other_libraries(rows: Any) -> None:
    with pytest.raises(TypeError, match=r"cupy\.asarray\(array\)"):
        array_of([3, 1, 2])[rows]


def test_a_row_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        array_of([3, 1, 2])[3]
    with pytest.raises(TypeError, match="no length"):
        len(array_of([3])[0])


def test_it_is_never_copied_to_the_host_unasked() -> None:
    with pytest.raises(TypeError, match=r"<DeviceArray int64 \(2,\) on emulated> .* call its get\(\)"):
        np.asarray(array_of([1, 2]))


def test_dlpack_is_cupy_s_and_says_so_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    array = array_of([1, 2], EmulatedDevice(index=3))
    assert array.__dlpack_device__() == (2, 3)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BufferError, match=r"needs CuPy .*pip install"):
        array.__dlpack__()
    asked: list[Any] = []

    def asarray(given: Any) -> Any:
        assert given is array
        return SimpleNamespace(__dlpack__=lambda **options: asked.append(options) or "capsule")

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(asarray=asarray))
    assert array.__dlpack__(stream=7) == "capsule"
    assert asked == [{"stream": 7}]


def test_an_allocation_is_released_once() -> None:
    device = EmulatedDevice()
    one, other = Allocation(device, 10), Allocation(device, 10)
    one.release()
    one.release()
    assert len(device.memory) == 1
    del other, one
    gc.collect()
    assert device.memory == {}


# ---- what is used where it lies ---------------------------------------------------------------------------------

N = 6
CHECKED = np.arange(N, dtype=np.int64)
TABLE = np.arange(2 * N, dtype=np.int32).reshape(N, 2)


@pytest.mark.parametrize(
    ("column", "checked"),
    [
        (Column(CHECKED, np.int64), CHECKED),
        (Column(TABLE, np.int32), TABLE),
        (Column(TABLE[:, 0].copy(), np.int32), TABLE[:, :1]),
        (Column([7], np.int64), CHECKED[:1]),
        (Column(CHECKED[1:], np.int64), CHECKED[1:]),
    ],
)
def test_what_fits_is_used_where_it_lies(column: Column, checked: Any) -> None:
    assert address_in_place(as_given(column), checked, 0) == column.values.ctypes.data
    assert address_in_place(as_given(column), checked, 1) is None


def test_packed_strides_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Column(TABLE, np.int32)
    facts = {**column.__cuda_array_interface__, "strides": (8, 4)}
    monkeypatch.setattr(Column, "__cuda_array_interface__", property(lambda _: facts))
    assert address_in_place(column, TABLE, 0) == column.values.ctypes.data
    facts["mask"] = object()
    assert address_in_place(column, TABLE, 0) is None


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (CHECKED, CHECKED),
        ([1, 2], CHECKED[:2]),
        (3, CHECKED[:1]),
        (Column(CHECKED, np.int32), CHECKED),
        (Column(CHECKED, np.uint64), CHECKED),
        (Column(CHECKED, ">i8"), CHECKED),
        (Column(TABLE[:, 0], np.int32), TABLE[:, :1]),
        (Column(TABLE.T.copy().T, np.int32), TABLE),
        (Column([1], np.int64), CHECKED),
        (Column(np.frombuffer(bytes(8 * N + 1), np.uint8)[1:].view(np.int64), np.int64), CHECKED),
    ],
)
def test_what_does_not_fit_is_not(given: Any, checked: Any) -> None:
    assert address_in_place(as_given(given), checked, 0) is None


def test_where_an_array_lies_is_what_it_says() -> None:
    assert device_index(Column([1], np.int64, index=3)) == 3
    assert device_index(array_of([1], EmulatedDevice(index=2))) == 2
    assert device_index(np.zeros(1)) is None
    assert device_index(3) is None
    silent = type("Silent", (), {"__cuda_array_interface__": {}})()
    assert device_index(silent) is None


def test_cupy_wraps_what_is_not_its_own_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = type("Tensor", (Column,), {"__module__": "torch"})([3, 4], np.int64)
    capsule = SimpleNamespace(__dlpack__=lambda **_: None, __dlpack_device__=lambda: (2, 0))
    wrapped = Column([3, 4], np.int64)
    pretended_cupy = SimpleNamespace(
        asarray=lambda given: wrapped if given is foreign else None,
        from_dlpack=lambda given: wrapped if given is capsule else None,
    )
    monkeypatch.setitem(sys.modules, "cupy", pretended_cupy)
    assert as_given(foreign) is wrapped
    assert as_given(capsule) is wrapped
    assert to_host(wrapped).tolist() == [3, 4]


# ---- devices ----------------------------------------------------------------------------------------------------


class CupyArray:
    """`cupy.ndarray` over a pretended pointer."""

    def __init__(self, shape: Any, dtype: Any, pointer: Any) -> None:
        self.shape, self.dtype, self.pointer = shape, np.dtype(dtype), pointer

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AssertionError("not asked for")

    def __len__(self) -> int:
        return int(self.shape[0])

    def get(self) -> Any:
        address, n, _, index = self.pointer.memory
        assert index == 1
        array = np.empty(self.shape, self.dtype)
        assert n == array.nbytes
        if n:
            with self.pointer.cuda.Device(1):
                self.pointer.cuda.copy(array.ctypes.data, address, n, 2, 77)
        return array


def test_results_of_cupy_are_cupy_s_arrays(pretence: Pretence, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def pointer(memory: Any, offset: int) -> Any:
        assert offset == 0
        return SimpleNamespace(memory=memory, cuda=pretence)

    pretence.UnownedMemory = lambda *facts: facts  # type: ignore[attr-defined]
    pretence.MemoryPointer = pointer  # type: ignore[attr-defined]
    sys.modules["cupy"].ndarray = CupyArray  # type: ignore[attr-defined]
    device = CupyDevice(1)
    pretence.runtime.getDevice = lambda: 1
    assert device.is_current
    pretence.runtime.getDevice = lambda: 0
    assert not device.is_current
    spec = spec_of(60, 30)
    cells = (np.arange(9) % 2, 2 + np.arange(9))
    expected = run_batch(spec, *cells, backend="cpu")
    with emulated(device), sliced(20):  # type: ignore[arg-type]
        result = run_batch(spec, *cells, backend="emulated", on_device=True)
        assert isinstance(result.counts, CupyArray)
        assert result.passed.dtype == np.bool_
        assert unequal(result.to_host(), expected) == []
        del result
        assert len(pretence.below.memory) == 1
    assert pretence.current == []


@pytest.mark.usefixtures("pretended")
def test_results_of_cuda_are_arrays_with_the_interface() -> None:
    device = cuda.CudaDevice()
    owner = object()
    array = device.array(512, (2, 3), np.int64, owner)
    assert isinstance(array, DeviceArray)
    assert array.__cuda_array_interface__["data"] == (512, False)
    assert array.__dlpack_device__() == (2, 0)
