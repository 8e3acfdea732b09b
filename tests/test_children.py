"""The processes of `make up`, here small programs: one that ends is started again, unless it keeps ending."""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milo.dev import child as children
from milo.dev.child import Child, Died
from milo.dev.processes import Processes, Stopped

pytestmark = pytest.mark.once

SLEEP = "import time; time.sleep(60)"
WITHIN_SECONDS = 20.0


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def processes(tmp_path: Path, said: list[str]) -> Iterator[Processes]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with Processes(tmp_path / "logs", said.append) as running:
        yield running
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a test's length."""
    monkeypatch.setattr(children, "PAUSES_SECONDS", (0.1, 0.2, 0.4))


def waiting_for(condition: Callable[[], bool]) -> Callable[[], bool]:
    end = time.monotonic() + WITHIN_SECONDS

    def ready() -> bool:
        assert time.monotonic() < end
        return condition()

    return ready


def starts(folder: Path) -> list[int]:
    """The process ids that a program has written, one for each start."""
    path = folder / "starts"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def program(folder: Path, then: str) -> list[str]:
    note = f"import os; print(os.getpid(), file=open({str(folder / 'starts')!r}, 'a'), flush=True)"
    return ["-c", f"{note}\n{then}"]


def test_pauses_grow() -> None:
    assert all(earlier < later for earlier, later in itertools.pairwise(children.PAUSES_SECONDS))


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGTERM, "SIGTERM"), (signal.SIGRTMIN + 5, "signal 39")]
)
def test_a_process_that_is_killed_is_started_again(
    processes: Processes, said: list[str], tmp_path: Path, number: int, name: str
) -> None:
    processes.start("worker", program(tmp_path, SLEEP))
    processes.wait_until(waiting_for(lambda: len(starts(tmp_path)) == 1), 60)
    os.kill(starts(tmp_path)[0], number)
    processes.wait_until(waiting_for(lambda: len(starts(tmp_path)) == 2), 60)
    os.kill(starts(tmp_path)[1], 0)
    log = tmp_path / "logs" / "worker.log"
    assert said == [f"The worker has ended (killed by {name}) and is started again in 0.1 s; its log is {log}"]


@pytest.mark.usefixtures("brief")
def test_a_process_that_ends_without_an_error_is_started_again(processes: Processes, tmp_path: Path) -> None:
    first = f"import os.path, time\nif sum(1 for _ in open({str(tmp_path / 'starts')!r})) > 1: time.sleep(60)"
    processes.start("worker", program(tmp_path, first))
    processes.wait_until(waiting_for(lambda: len(starts(tmp_path)) == 2), 60)
    os.kill(starts(tmp_path)[1], 0)


@pytest.mark.usefixtures("brief")
def test_one_that_keeps_ending_is_given_up_with_its_last_words_and_the_log_of_every_start(
    processes: Processes, said: list[str], tmp_path: Path
) -> None:
    processes.start("worker", program(tmp_path, "raise OSError(28, 'No space left on device')"))
    processes.start("beat", ["-c", SLEEP])
    with pytest.raises(Died) as died:
        processes.watch()
    assert len(starts(tmp_path)) == 4
    log = tmp_path / "logs" / "worker.log"
    assert log.read_text().count("OSError: [Errno 28]") == 4
    assert str(died.value).startswith("The worker keeps ending: 4 times within ")
    end = f" s, at last exit status 1, OSError: [Errno 28] No space left on device; its log is {log}"
    assert str(died.value).endswith(end)
    assert [line.partition("started again in ")[2].partition(" s")[0] for line in said] == ["0.1", "0.2", "0.4"]


@pytest.mark.usefixtures("brief")
def test_a_process_that_ran_well_meanwhile_begins_with_the_first_pause_again(
    processes: Processes, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "RAN_WELL_SECONDS", 0.0)
    processes.start("worker", program(tmp_path, "raise SystemExit(3)"))
    processes.wait_until(waiting_for(lambda: len(starts(tmp_path)) >= 8), 60)
    assert {line.partition("started again in ")[2].partition(" s")[0] for line in said} == {"0.1"}
    assert "(exit status 3)" in said[0]


@pytest.mark.usefixtures("brief")
def test_a_process_that_cannot_be_started_at_all_is_tried_again(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    child = Child("worker", ["-c", SLEEP], (), tmp_path / "worker.log", said.append)
    child.begin()
    assert "No such file or directory" in said[0]
    monkeypatch.undo()
    end = time.monotonic() + WITHIN_SECONDS
    while child._process is None:
        assert time.monotonic() < end
        child.look_after()
    child.terminate()
    child.end(5)


@pytest.mark.usefixtures("brief")
def test_nobody_who_reads_what_is_said_ends_nothing(tmp_path: Path) -> None:
    def broken(line: str) -> None:
        raise BrokenPipeError

    child = Child("worker", ["-c", "raise SystemExit(1)"], (), tmp_path / "worker.log", broken)
    child.begin()
    end = time.monotonic() + WITHIN_SECONDS
    while not child._deaths:
        assert time.monotonic() < end
        child.look_after()
    child.end(5)


@pytest.mark.usefixtures("brief")
def test_a_request_to_end_is_heard_in_a_pause_too(processes: Processes, tmp_path: Path) -> None:
    processes.start("beat", program(tmp_path, SLEEP))
    processes.start("worker", ["-c", "raise SystemExit(1)"])
    processes.wait_until(waiting_for(lambda: len(starts(tmp_path)) == 1), 60)
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Stopped):
        processes.watch()
    processes.__exit__(None, None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(starts(tmp_path)[0], 0)


def test_a_terminal_that_closes_ends_everything_unless_nohup_was_asked_for(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    others = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for given, left in ((signal.SIG_DFL, False), (signal.SIG_IGN, True)):
            signal.signal(signal.SIGHUP, given)
            with Processes(tmp_path, print) as running:
                os.kill(os.getpid(), signal.SIGHUP)
                running.wait_until(lambda: True, 1)
                if left:
                    with pytest.raises(Died, match="does not answer"):
                        running.wait_until(lambda: False, 0.2)
                else:
                    with pytest.raises(Stopped):
                        running.watch()
    finally:
        for number, handler in {signal.SIGHUP: before, **others}.items():
            signal.signal(number, handler)
