"""Actions that take effect only when a second person approves them.

Start with `requests`: request, approve, reject, withdraw, renew, take over, expire. `reviews` builds the review of the
account that a decision rests on, and finds who edited it. `closures` and `reactivations` are two of the effects; those
of payment terms, holds and usage are in `billing.services.terms`, `.holds` and `.usage.assignments`. Each effect offers
`causes`, why it cannot happen now, and `apply`, which runs in the transaction of the approval.
"""
