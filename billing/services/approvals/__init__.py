"""Actions that take effect only when a second person approves them.

Start with `requests`: request, renew, withdraw, take over, expire. `decisions` approves and rejects, and refuses
anybody who is no second person. `reviews` builds the review of the account that a decision rests on, and finds who
edited it. `effects` maps each kind of request to its effect: `causes`, why it cannot happen now, and `apply`, which
runs in the transaction of the approval. `closures`, `reactivations`, `payer_corrections` and `payer_moves` are
effects; those of payment terms, holds, usage and bindings are in `billing.services.terms`, `.holds`,
`.usage.assignments` and `.redating`.
"""
