"""The embedded broker: messages of Celery as files of one folder, for one machine.

Start reading in `transport.py`, which is kombu's filesystem transport made safe; `spool.py` is the folder of messages,
without kombu. kombu's own shows a message before it is written, ends the consumer at a file that it cannot read, and
loses what a killed consumer held. This one relies on what a local POSIX file system promises: a rename is atomic, and a
lock ends with its process.
"""
