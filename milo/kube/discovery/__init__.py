"""What the server offers, as clients ask for it before anything else: versions, groups, resources.

`documents` has the answers, `endpoints` the addresses that are of no kind.
"""
