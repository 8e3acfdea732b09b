"""Planted faults: parts of Milo that are wrong on purpose, loaded inside its processes.

`settings` is the settings module of a Milo with a fault, and the variable SOAK_PLANT names the module here whose
`plant()` makes it. Nothing in the product knows of them. Each widens the moment in which it does harm by a pause, so
that what would happen once in a night of production happens within seconds.
"""
