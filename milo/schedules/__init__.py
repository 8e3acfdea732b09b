"""Last runs of the periodic tasks, as rows.

Start with `beat.py`, which sends a task once it is due by its row. `runs.py` reads and writes the rows; workers record
there how each run ended. The schedule itself is in `milo/settings/background.py`.
"""

HEADER = "milo_schedule"
"""The header of a message that has the name of its schedule."""
