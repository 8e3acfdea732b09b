"""A full disk of the broker's folder: it is named, nothing waits in parts, and messages go on once there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.exceptions import ChannelError

from milo import outages
from tests.broker.queues import Broker
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.once


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


def test_a_full_folder_is_named_and_what_was_sent_before_is_delivered(
    disk: SmallDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Broker(disk.folder)
    broker.publish("before")
    disk.fill()
    with pytest.raises(ChannelError, match="No space left on device") as refused:
        broker.publish("lost")
    logged = capsys.readouterr().err
    assert "disk_full" in logged
    assert "disk=broker" in logged
    assert f"folder={broker.folder}" in logged
    assert len(broker.waiting()) == 1
    assert list(broker.folder.glob("*.new")) == []
    outage = outages.refusal(refused.value)
    assert outage
    assert outage.reason == "ServiceUnavailable"
    assert broker.drain() == ["before"]
    disk.make_room()
    broker.publish("after")
    assert broker.drain() == ["after"]
