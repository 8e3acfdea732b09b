"""Runs a part of a test as a user who is not root: root reads and writes whatever the modes of files say."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534


def as_nobody(act: Callable[[Path], None]) -> None:
    """Call `act` with an empty folder, in a child process without privileges; raise what it raises.

    A process that is not root calls it itself.
    """
    folder = Path(tempfile.mkdtemp())
    try:
        if os.geteuid() != 0:
            act(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        _in_a_child(lambda: act(folder))
    finally:
        shutil.rmtree(folder)


def _in_a_child(act: Callable[[], None]) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        raised = ""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
        except BaseException:
            raised = traceback.format_exc()
        os.write(writing, raised.encode()[:60_000])
        # neither pytest nor its fixtures end twice
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        raised = pipe.read()
    _child, status = os.waitpid(child, 0)
    assert not raised, raised
    assert status == 0, f"the child ended with {status}"
