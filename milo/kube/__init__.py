"""The conventions of the Kubernetes API on top of DRF: a library that knows no kind of the applications.

Start with `kinds.Kind`: an application subclasses and registers it to get routes, discovery, OpenAPI, Tables, patches,
server-side apply and watch. `routes` lists every path, `views` holds what all views share, `store` converts manifests
and keeps the change log, `watch` streams it, and `wire` covers the HTTP level. `core`, `discovery`, `reviews` and
`openapi` serve what kubectl expects besides the kinds. Relies on `milo.access` for permissions, `milo.audit` for
transactions and `milo.errors` for refusals.
"""
