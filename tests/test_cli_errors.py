"""What goes wrong is told with a place, a remedy and the right exit code, on stderr, and never as a traceback."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from cli_calls import TINY, call, call_apart, start
from gpusim.errors import DeviceMemoryError, RunError
from gpusim.scenario import example_text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a good scenario, a bad one, a log that is none and noise."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "bad.yaml").write_text(TINY.replace("gpus: 1", "gpus: 0").replace("90%", "190%"))
    (tmp_path / "text.swf").write_text("this is no log\n")
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "cut.swf.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG = {
    "no such scenario": (2, "size nope", "quickstart"),
    "a name with a slip": (2, "size quickstrat", "did you mean 'quickstart'"),
    "a folder": (2, "size sub", "folder"),
    "noise as scenario": (3, "size noise", "noise"),
    "nothing as scenario": (3, "check empty", "empty"),
    "two mistakes": (3, "check bad.yaml", "2 problems"),
    "an unknown key": (3, "size tiny.yaml --set policy.backfil=none", "policy.backfill"),
    "a change without a value": (3, "simulate tiny.yaml --set policy", "key=value"),
    "a time without a unit": (2, "size tiny.yaml --time-limit 60", "60s"),
    "no time at all": (2, "size tiny.yaml --time-limit 0s", "--time-limit"),
    "GPUs in words": (2, "simulate tiny.yaml --gpus many", "--gpus"),
    "no GPUs": (2, "simulate tiny.yaml --gpus 0", "out of range"),
    "no center": (2, "simulate tiny.yaml --set center.have=null", "center.have"),
    "a backend that is not built": (4, "size tiny.yaml --backend cuda", "--backend cpu"),
    "a backend that is none": (4, "simulate tiny.yaml --backend abacus", "abacus"),
    "output into nowhere": (2, "size tiny.yaml --output none/a.json", "does not exist"),
    "output onto a folder": (2, "simulate tiny.yaml --output sub", "folder"),
    "output onto the input": (2, "size tiny.yaml --output tiny.yaml", "input"),
    "no such log": (2, "replay nope.swf --gpus 4", "no such file"),
    "text as log": (3, "replay text.swf --gpus 4", "text.swf:1"),
    "noise as log": (3, "replay noise --gpus 4", "not a text file"),
    "a cut log": (3, "replay cut.swf.gz --gpus 4", "gzip"),
    "no jobs": (3, "replay empty --gpus 4", "empty"),
    "a policy by its other name": (2, "replay text.swf --gpus 4 --backfill easy", "write 1"),
    "a negative number of reservations": (2, "replay text.swf --gpus 4 --backfill -3", "--backfill"),
    "a clock that stands": (2, "replay text.swf --gpus 4 --tick 0s", "--tick"),
    "an unlimited number that is not": (2, "replay text.swf --gpus unlimitd", "--gpus"),
    "nothing to copy": (2, "new nope", "quickstart"),
    "a copy into nowhere": (2, "new quickstart none/center.yaml", "does not exist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_told_with_a_remedy(folder: Path, name: str) -> None:
    code, words, remedy = WRONG[name]
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = call(*words.split())
    assert result.code == code, result
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert remedy in result.err
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", [name for name in WRONG if not WRONG[name][1].startswith("new")])
def test_with_json_the_error_is_json_too(folder: Path, name: str) -> None:
    code, words, _ = WRONG[name]
    result = call(*words.split(), "--json")
    assert result.code == code
    assert result.err.startswith("error: ")
    data = result.data
    assert (data["schema"], data["kind"], data["exit_code"]) == (1, "error", code)
    assert data["code"]
    assert data["problems"]
    assert all(set(p) == {"where", "what", "found", "remedy", "code"} for p in data["problems"])


def test_check_lists_every_mistake_with_its_line(folder: Path) -> None:
    result = call("check", "bad.yaml")
    assert "bad.yaml:9" in result.err
    assert "bad.yaml:13" in result.err


def test_check_lists_more_mistakes_than_other_verbs(folder: Path) -> None:
    levels = "\n".join(f"  - wait <= {n} for 90% of all jobs" for n in range(1, 40))
    (folder / "many.yaml").write_text(TINY.replace("  - wait <= 30min for 90% of all jobs", levels))
    assert len(call("check", "many.yaml").err.splitlines()) == 40
    shown = call("size", "many.yaml").err
    assert len(shown.splitlines()) == 22
    assert "and 19 more" in shown


def test_a_terminal_is_not_steered_by_what_a_file_holds() -> None:
    result = call("check", "-", stdin=TINY.replace("name: tiny", 'name: "\\x1b[2Jevil"'))
    assert result.code == 3
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("siz quickstart", "size"),
        ("size quickstart --sed 3", "--seed"),
        ("size", "SCENARIO"),
        ("size quickstart --seed -1", "--seed"),
        ("size quickstart --threads 0", "--threads"),
        ("size quickstart --certify sure", "strict"),
        ("replay log.swf", "--gpus"),
    ],
)
def test_wrong_use_suggests_what_was_meant(words: str, hint: str) -> None:
    result = call(*words.split())
    assert result.code == 2
    assert result.out == ""
    assert hint in result.err


# ---- failures of ours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (RunError("a run stopped"), "a run stopped"),
        (DeviceMemoryError("the device is full"), "the device is full"),
        (MemoryError(), "out of memory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failed_run_has_exit_code_5(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("gpusim.plan.size.find_capacity", fail)
    result = call("size", "tiny.yaml", "--json", "--output", "answer.json")
    assert result.code == 5
    assert says in result.err
    assert result.data["exit_code"] == 5
    assert not (folder / "answer.json").exists()


def test_an_unexpected_exception_is_one_line_that_owns_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("gpusim.plan.size.find_capacity", fail)
    result = call("size", "tiny.yaml")
    assert result.code == 5
    assert result.err.count("\n") == 1
    assert "surprise" in result.err
    assert "this is a bug" in result.err
    assert "GPUSIM_TRACEBACK=1" in result.err
    monkeypatch.setenv("GPUSIM_TRACEBACK", "1")
    with pytest.raises(KeyError):
        call("size", "tiny.yaml")


@pytest.mark.alone
def test_control_c_ends_quickly_with_one_line(tmp_path: Path) -> None:
    pipe = tmp_path / "scenario"
    os.mkfifo(pipe)
    process = start("size", pipe, "--quiet")
    pipe.write_text(example_text("korea-nacc"))  # waits until the verb reads it; it takes long
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted: no answer was written\n")
    assert time.monotonic() - asked < 2


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error() -> None:
    process = start("schema")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=30) == 141


@pytest.mark.slow
def test_a_full_disk_behind_stdout_is_told() -> None:
    with open("/dev/full", "w") as full:
        process = start("schema", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 5
    assert "No space left on device" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_no_traceback_from_a_process_of_its_own(folder: Path) -> None:
    for words in ("check bad.yaml", "size noise --json", "replay cut.swf.gz --gpus 4"):
        result = call_apart(*words.split())
        assert result.code == 3
        assert "Traceback" not in result.err
