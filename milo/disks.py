"""Full disks: how an error says so, and a line in the log that names the folder."""

import errno
import os
from pathlib import Path

import structlog

LEAST_FREE_BYTES = 16 * 1024 * 1024
"""With less free space than this a disk counts as full."""
LEAST_FREE_FILES = 16
"""The same for files, which file systems with a table of inodes run out of."""
# no space, and no space within the quota of a user
_FULL = {errno.ENOSPC, errno.EDQUOT}

log = structlog.get_logger(__name__)


def is_full(error: BaseException) -> bool:
    """Return whether an error of the operating system says that a disk is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def log_full(disk: str, folder: object) -> None:
    """Leave a line that says which disk is full, by its use and by a folder on it."""
    log.error("disk_full", disk=disk, folder=str(folder))


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def lacks(folder: Path) -> str:
    """Return what the disk of a folder, which need not exist yet, has too little of; empty if there is enough."""
    disk = os.statvfs(nearest(folder))
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_FREE_BYTES:
        return f"{free // 1024} KiB are free"
    if disk.f_files and disk.f_favail < LEAST_FREE_FILES:
        return f"{disk.f_favail} more files fit on it"
    return ""
