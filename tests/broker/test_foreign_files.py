"""Whatever lies in the folder of the embedded broker ends no consumer, and keeps no message from being delivered."""

import json
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.broker import dead_letters
from milo.broker.files import MAX_BYTES
from tests.broker.queues import Broker, a_message, acknowledged, drain
from tests.broker.unprivileged import as_nobody

pytestmark = pytest.mark.once

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
PLACES = [(), ("headers",), ("properties",), ("properties", "delivery_info")]


@st.composite
def almost_messages(draw: st.DrawFn) -> bytes:
    """A message in which one to three fields are gone or have a value of any type."""
    message = a_message("almost")
    for _number in range(draw(st.integers(1, 3))):
        place: Any = message
        for step in draw(st.sampled_from(PLACES)):
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or not place:
            continue
        field = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()):
            del place[field]
        else:
            place[field] = draw(JSON)
    return json.dumps(message).encode()


@st.composite
def cut_messages(draw: st.DrawFn) -> bytes:
    """The beginning of a message, as a reader finds it that comes too early."""
    whole = json.dumps(a_message()).encode()
    return whole[: draw(st.integers(0, len(whole) - 1))]


CONTENTS = st.binary(max_size=200) | cut_messages() | almost_messages() | JSON.map(json.dumps).map(str.encode)


@pytest.mark.slow
@given(st.lists(CONTENTS, max_size=10))
def test_any_content_is_delivered_or_put_aside_and_the_messages_around_it_arrive(contents: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.publish("before")
        for number, content in enumerate(contents):
            broker.drop(content, f"{number}_junk.work.msg")
        broker.publish("after")
        bodies = broker.drain()
        assert [body for body in bodies if body in ("before", "after")] == ["before", "after"]
        assert len(bodies) - 2 + len(broker.dead_letters()) == len(contents)
        assert broker.waiting() == broker.unacknowledged() == []


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return Broker(tmp_path)


def put_aside(broker: Broker, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """The one dead letter after a consumer went over the folder, and the log line about it."""
    broker.publish("before", "after")
    assert broker.drain() == ["before", "after"]
    (letter,) = broker.dead_letters()
    assert broker.waiting() == broker.unacknowledged() == []
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "dead_letter" in line]
    return letter, line


def test_an_empty_file_is_put_aside_with_a_log_line(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    broker.drop(b"")
    letter, line = put_aside(broker, capsys)
    assert letter.read_bytes() == b""
    assert "0_probe.work.msg" in line
    assert "JSONDecodeError" in line


def test_a_folder_in_the_place_of_a_message_is_put_aside(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    broker.folder.mkdir(parents=True)
    (broker.folder / "0_probe.work.msg").mkdir()
    (broker.folder / "0_probe.work.msg" / "inside").write_text("kept")
    letter, line = put_aside(broker, capsys)
    assert (letter / "inside").read_text() == "kept"
    assert "Is a directory" in line


def test_a_named_pipe_does_not_keep_the_consumer_waiting(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    broker.folder.mkdir(parents=True)
    os.mkfifo(broker.folder / "0_probe.work.msg")
    letter, line = put_aside(broker, capsys)
    assert stat.S_ISFIFO(letter.lstat().st_mode)
    assert "not a regular file" in line


def test_a_link_is_not_followed(broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broker.folder.mkdir(parents=True)
    secret = tmp_path / "elsewhere"
    secret.write_text(json.dumps(a_message("from elsewhere")))
    (broker.folder / "0_probe.work.msg").symlink_to(secret)
    letter, _line = put_aside(broker, capsys)
    assert letter.is_symlink()
    assert secret.exists()


def test_a_file_larger_than_any_message_is_not_read(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    with broker.drop(b"").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    _letter, line = put_aside(broker, capsys)
    assert "larger than" in line


def test_a_file_that_may_not_be_read_is_put_aside(capsys: pytest.CaptureFixture[str]) -> None:
    def act(folder: Path) -> None:
        assert os.geteuid() != 0
        broker = Broker(folder)
        broker.drop(json.dumps(a_message()).encode()).chmod(0)
        _letter, line = put_aside(broker, capsys)
        assert "Permission denied" in line

    as_nobody(act)


def test_a_name_as_long_as_names_can_be_is_put_aside_as_well(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.drop(b"", f"{'x' * (255 - len('.work.msg'))}.work.msg")
    put_aside(broker, capsys)


def test_a_folder_that_may_not_be_written_is_waited_for() -> None:
    def act(folder: Path) -> None:
        assert os.geteuid() != 0
        broker = Broker(folder)
        broker.publish("kept")
        bodies: list[Any] = []
        with broker.consumer(acknowledged(bodies)) as connection:
            broker.folder.chmod(0o555)
            drain(connection)
            assert bodies == []
            broker.folder.chmod(0o755)
            drain(connection)
        assert bodies == ["kept"]

    as_nobody(act)


@pytest.mark.parametrize("name", ["notes.txt", "work.msg.bak", ".DS_Store", "msg", "x.other.msg", "x.work.MSG"])
def test_a_file_that_is_not_of_the_queue_is_left_alone(broker: Broker, name: str) -> None:
    foreign = broker.drop(b"\x00\xffforeign", name)
    broker.publish("before", "after")
    assert broker.drain() == ["before", "after"]
    assert foreign.read_bytes() == b"\x00\xffforeign"
    assert broker.dead_letters() == []


def test_a_message_whose_consumer_fails_is_put_aside_and_the_next_is_delivered(broker: Broker) -> None:
    """Celery fails so with a message that is no task, and would end."""
    broker.publish("no task", "task")
    bodies: list[Any] = []

    def handle(body: Any, message: Any) -> None:
        if body == "no task":
            raise KeyError("id")
        bodies.append(body)
        message.ack()

    with broker.consumer(handle) as connection:
        drain(connection)
    assert bodies == ["task"]
    assert len(broker.dead_letters()) == 1
    assert broker.unacknowledged() == []


def test_only_the_newest_dead_letters_are_kept(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "KEPT", 5)
    for number in range(20):
        broker.drop(b"%d is no message" % number, f"{number:02}_junk.work.msg")
    assert broker.drain() == []
    assert [int(path.read_bytes().split()[0]) for path in broker.dead_letters()] == [15, 16, 17, 18, 19]


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[1]", b'[["a"]]', b'[["a", "b", 5]]', b"\xff\xfe", b"null"])
def test_an_exchange_that_cannot_be_read_is_put_aside_and_begun_anew(broker: Broker, content: bytes) -> None:
    broker.control.mkdir(parents=True)
    (broker.control / "work.exchange").write_bytes(content)
    broker.publish("through the exchange")
    assert broker.drain() == ["through the exchange"]
    assert json.loads((broker.control / "work.exchange").read_text()) == [["work", "", "work"]]
    # an empty object reads as no bindings at all, and is replaced
    assert [path.read_bytes() for path in broker.dead_letters()] == ([content] if content != b"{}" else [])


def test_a_folder_in_the_place_of_an_exchange_is_put_aside(broker: Broker) -> None:
    (broker.control / "work.exchange").mkdir(parents=True)
    broker.publish("through the exchange")
    assert broker.drain() == ["through the exchange"]
    assert len(broker.dead_letters()) == 1
