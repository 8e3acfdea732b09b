"""A soak of `make up`: hundreds of messages, files that are none, and a worker that is killed while it works."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support import database
from tests.test_make_up import ROOT, Up, processes_of, up

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.xdist_group("faults")]

PRODUCERS = 2
MESSAGES = 600
UNREADABLE = 30
FOREIGN = 10
KILLED_AFTER = (120, 360)
"""The worker is killed when it has done so many."""
WITHIN_SECONDS = 300.0

PRODUCER = """
import sys
from milo.celery import app
with app.producer_pool.acquire(block=True) as producer:
    for _number in range(int(sys.argv[1])):
        print(app.send_task("celery.accumulate", producer=producer).id)
"""


def producer(milo: Up, output: Path) -> subprocess.Popen[bytes]:
    """A process that sends its share of tasks; their ids go to `output`."""
    environment = {"PATH": os.environ["PATH"], "MILO_DATA_DIR": str(milo.folder), "PYTHONPATH": str(ROOT)}
    with output.open("wb") as file:
        command = [sys.executable, "-c", PRODUCER, str(MESSAGES // PRODUCERS)]
        return subprocess.Popen(command, env=environment, stdout=file)


def drop_files(broker: Path) -> list[Path]:
    """Lay what is no message between the messages; returns the files that are not even named like one."""
    foreign = []
    for number in range(UNREADABLE):
        content = [b"", b"\xff\x00\xfe", b'{"body": "cut off'][number % 3]
        (broker / f"{number}_probe.celery.msg").write_bytes(content)
        if number % (UNREADABLE // FOREIGN) == 0:
            foreign.append(broker / f"{number}.backup")
            foreign[-1].write_bytes(b"foreign")
        time.sleep(0.02)
    return foreign


class Log:
    """The worker's log, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open()
        self._rest = ""
        self.done: Counter[str] = Counter()

    def read(self) -> int:
        """Return how many tasks of ours were done until now."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            if done := re.search(r" action=celery\.accumulate .* outcome=success request_id=task:([0-9a-f-]+) ", line):
                self.done[done[1]] += 1
        return self.done.total()


def test_every_message_is_worked_on_though_the_worker_is_killed_and_foreign_files_lie_about(
    tmp_path: Path, django_db_setup: None
) -> None:
    file = tmp_path / "milo.sqlite3"
    database.copy_to(file)
    with up(tmp_path / "var", f"sqlite:///{file}") as milo:
        milo.wait_until_ready()
        broker = milo.folder / "broker"
        outputs = [tmp_path / f"producer-{number}.txt" for number in range(PRODUCERS)]
        producers = [producer(milo, output) for output in outputs]
        foreign = drop_files(broker)
        log = Log(milo.folder / "logs" / "worker.log")
        end = time.monotonic() + WITHIN_SECONDS
        kills = list(KILLED_AFTER)
        while (done := log.read()) < MESSAGES or len(log.done) < MESSAGES:
            assert milo.process.poll() is None, milo.said()
            assert time.monotonic() < end, f"{done} done of {MESSAGES}"
            if kills and done >= kills[0] and (worker := milo.child("worker")):
                os.kill(worker, signal.SIGKILL)
                kills.pop(0)
            time.sleep(0.05)
        assert [process.wait() for process in producers] == [0] * PRODUCERS

        sent = [identifier for output in outputs for identifier in output.read_text().split()]
        assert len(sent) == MESSAGES
        assert set(log.done) == set(sent)
        # the one that the killed worker was at, whether it was done or not
        assert log.done.total() <= MESSAGES + len(KILLED_AFTER)
        assert milo.said().count("The worker has ended (killed by SIGKILL)") == len(KILLED_AFTER)

        # their names come after those of the messages, so the last of them are put aside after the last message is done
        while len(list((broker / "dead-letters").iterdir())) < UNREADABLE:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert len(list((broker / "dead-letters").iterdir())) == UNREADABLE
        assert all(path.read_bytes() == b"foreign" for path in foreign)
        # what is left is foreign, or what beat has sent meanwhile
        assert len([path for path in broker.iterdir() if path.is_file()]) <= FOREIGN + 10
        assert len(list((broker / "unacked").iterdir())) <= 3
        assert len(list((broker / "unacked").glob("*/*"))) <= 1
        with milo.client("operator") as client:
            assert client.get("/livez").status_code == 200
        assert milo.stop(signal.SIGINT) == 0
    assert processes_of(tmp_path / "var") == {}
    assert list((broker / "unacked").iterdir()) == []
