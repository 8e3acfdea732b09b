"""The embedded broker: Celery messages as files in one folder, for one machine.

Start with `transport.py`, a safe version of kombu's filesystem transport; `spool.py` is the folder of messages, without
kombu. kombu's own transport exposes a message before it is completely written, crashes the consumer at an unreadable
file, and loses the messages of a killed consumer. This one relies on a local POSIX file system, where a rename is
atomic and a lock ends with its process.
"""
