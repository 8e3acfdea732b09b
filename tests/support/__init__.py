"""Support for tests.

Start with `make`, which creates rows through the services, and `ledger`, which asserts what changed and what did not.
`database` prepares the database of a run, `live` starts a server for clients, `threads` and `interleaving` run calls at
the same time, `tamper` acts as the owner of the database, and `clock` sets the time.
"""
