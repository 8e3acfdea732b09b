"""Discovery: the versions, groups and resources that clients read before anything else.

Start with `documents`, which builds and serves the answers. `endpoints` is the registry of resources without objects
and of files. Relies on the registry of kinds (`milo.kube.kinds`).
"""
