"""Messages of the embedded broker are delivered whole, in order and at least once."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kombu.exceptions import ChannelError

from milo.broker import spool
from milo.broker.files import write_whole
from tests.broker.queues import Broker, acknowledged, drain, killed

pytestmark = pytest.mark.once


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return Broker(tmp_path)


def holding(broker: Broker, bodies: list[Any]) -> None:
    """Take all that waits, and acknowledge nothing."""
    with broker.consumer(lambda body, message: bodies.append(body)) as connection:
        drain(connection)
        os.kill(os.getpid(), 9)


def test_messages_arrive_in_the_order_in_which_they_were_sent_and_nothing_stays(broker: Broker) -> None:
    broker.publish(*range(50))
    assert broker.drain() == list(range(50))
    assert broker.waiting() == broker.unacknowledged() == broker.dead_letters() == []


def test_a_message_is_written_aside_and_never_seen_in_parts(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    rename = Path.rename

    def watched(self: Path, target: Path) -> Path:
        seen.append([path.name for path in broker.waiting()])
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watched)
    broker.publish("large " * 100_000)
    # just before the message is renamed, no reader sees it
    assert seen[-1] == []
    assert broker.drain() == ["large " * 100_000]


def test_what_a_consumer_held_when_it_was_killed_is_delivered_to_the_next(broker: Broker) -> None:
    broker.publish(*range(5))
    killed(lambda: holding(broker, []))
    assert len(broker.unacknowledged()) == 5
    assert broker.drain() == list(range(5))
    assert broker.unacknowledged() == broker.waiting() == []
    assert list((broker.folder / "unacked").iterdir()) == []


def test_what_a_consumer_holds_that_lives_is_not_taken_from_it(broker: Broker) -> None:
    broker.publish(*range(3))
    held: list[Any] = []
    with broker.consumer(lambda body, message: held.append(message)) as connection:
        drain(connection)
        assert len(held) == 3
        assert broker.drain() == []
        for message in held:
            message.ack()
    assert broker.drain() == []


def test_a_consumer_that_ends_gives_back_what_it_has_not_acknowledged(broker: Broker) -> None:
    broker.publish("a", "b")
    with broker.consumer(lambda body, message: message.ack() if body == "a" else None) as connection:
        drain(connection)
    assert broker.unacknowledged() == []
    assert broker.drain() == ["b"]


def test_a_message_at_which_consumers_die_again_and_again_becomes_a_dead_letter(broker: Broker) -> None:
    broker.publish("deadly")
    for number in range(spool.MAX_FAILURES):
        assert broker.dead_letters() == [], number
        killed(lambda: holding(broker, []))
    assert broker.drain() == []
    (letter,) = broker.dead_letters()
    assert b"delivery_info" in letter.read_bytes()


def test_a_requeued_message_comes_again_and_is_given_up_in_the_end(broker: Broker) -> None:
    broker.publish("refused")
    bodies: list[Any] = []

    def refuse(body: Any, message: Any) -> None:
        bodies.append(body)
        message.requeue()

    with broker.consumer(refuse) as connection:
        drain(connection)
    assert bodies == ["refused"] * spool.MAX_FAILURES
    assert len(broker.dead_letters()) == 1
    assert broker.unacknowledged() == broker.waiting() == []


def test_a_rejected_message_goes(broker: Broker) -> None:
    broker.publish("rejected")
    with broker.consumer(lambda body, message: message.reject()) as connection:
        drain(connection)
    assert broker.unacknowledged() == broker.waiting() == broker.dead_letters() == []


def test_two_consumers_share_a_queue_and_each_message_goes_to_one(broker: Broker) -> None:
    broker.publish(*range(200))
    program = (
        "import json, sys; from pathlib import Path; from tests.broker.queues import Broker\n"
        "print(json.dumps(Broker(Path(sys.argv[1])).drain()))"
    )
    command = [sys.executable, "-c", program, str(broker.folder.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        ours = broker.drain()
        said, _ = other.communicate()
    ours += broker.drain()
    theirs = [int(number) for number in said.strip("[]\n").split(", ") if number]
    assert sorted(ours + theirs) == list(range(200))


def test_a_message_past_its_time_goes_unread_at_the_next_look(broker: Broker) -> None:
    broker.publish("stale", expiration=0.01)
    broker.publish("fresh")
    time.sleep(0.02)
    assert broker.drain() == ["fresh"]
    assert broker.waiting() == broker.dead_letters() == []


def test_messages_that_nobody_reads_do_not_heap_up(broker: Broker) -> None:
    for number in range(30):
        broker.publish(number, expiration=0.01)
    time.sleep(0.02)
    # each of these connections looked after the folder when it published its first message
    broker.publish("last", expiration=60)
    assert len(broker.waiting()) == 1


def test_a_folder_that_is_removed_while_all_run_is_made_again(broker: Broker) -> None:
    bodies: list[Any] = []
    with broker.consumer(acknowledged(bodies)) as connection:
        broker.publish("first")
        drain(connection)
        shutil.rmtree(broker.folder)
        drain(connection)
        broker.publish("second")
        drain(connection)
    assert bodies == ["first", "second"]


def test_a_message_that_cannot_be_written_is_an_error_of_the_producer_and_leaves_nothing(broker: Broker) -> None:
    broker.folder.parent.mkdir(exist_ok=True)
    broker.folder.write_text("a file where the folder should be")
    with pytest.raises(ChannelError, match=r"folder .* cannot be used: .*Not a directory"):
        broker.publish("unwritten")
    broker.folder.unlink()
    assert broker.drain() == []


def test_a_consumer_waits_for_a_folder_that_cannot_be_used(broker: Broker) -> None:
    bodies: list[Any] = []
    with broker.consumer(acknowledged(bodies)) as connection:
        broker.folder.parent.mkdir(exist_ok=True)
        broker.folder.write_text("a file where the folder should be")
        drain(connection)
        broker.folder.unlink()
        broker.publish("late")
        drain(connection)
    assert bodies == ["late"]


def test_what_a_producer_left_half_written_is_no_message_and_goes_after_a_while(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.publish("whole")
    (message,) = broker.waiting()
    half = message.with_name(f"{message.name}.new")
    half.write_bytes(message.read_bytes()[:20])
    assert broker.drain() == ["whole"]
    assert half.exists()
    monkeypatch.setattr(spool, "ASIDE_SECONDS", -1)
    assert broker.drain() == []
    assert not half.exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "obstacle").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        write_whole(tmp_path / "obstacle", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["obstacle"]
