"""Users and their credentials: service tokens, OpenID Connect, passwords, second factors and sessions.

Start with `authentication`, which turns a bearer token into an actor, and `actors`, which reads the roles of a user.
`tokens`, `identities`, `passwords` and `second_factor` hold the services. `makers` finds who is behind a credential,
for the four-eyes rules. `histories` records changes that Django itself writes. Relies on `milo.access` for roles and
permissions and on `milo.audit` for history.
"""
