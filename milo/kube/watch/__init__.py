"""Watches: streams of changes to HTTP clients.

Start with `streams`, the watch of one kind. `watching` makes one from a request. `broadcaster` reads the change log for
all watchers of a process. Relies on commit order: a revision that is visible has no lower number still to come
(`milo.kube.models.Counter`).
"""
