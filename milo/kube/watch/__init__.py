"""The live end of the change log, for clients that watch.

`streams` is the watch of one kind, `watching` its answer to a request; one `broadcaster` an event loop reads the log
for all of them.
"""
