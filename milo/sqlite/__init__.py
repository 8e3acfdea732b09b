"""Django's backend of SQLite, whose writers take turns in the order in which they came.

SQLite lets one connection write at a time. The others ask again after pauses of up to 100 ms, and whoever asks first
after a commit is next: among 32 threads some wait for seconds, or until they are told that the database is locked.
Here the threads of a process stand in a line (`lines.py`), and only its first asks SQLite. Read `base.py` first.
"""
