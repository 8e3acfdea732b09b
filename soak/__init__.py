"""The soak: clients write through the API while processes are killed, and a checker looks for what was lost.

`python -m soak` runs Milo on a PostgreSQL and a Redis of its own, and `python -m soak.selftest` plants faults that the
checker must find. Start with `run.py`. The soak sees Milo as its users do: processes, HTTP, mails and SQL. It imports
none of its code (an import contract), so that an error cannot hide in what both share. The exception is `plants`, which
is loaded inside Milo's processes and imported by nothing here.
"""
