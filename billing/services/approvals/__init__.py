"""Acts of two people: what one asks for, and what another decides about the account as both have seen it.

`requests` asks, approves, rejects, withdraws, renews and expires; `reviews` says what is reviewed and who edited it;
`closures` and `reactivations` are what takes effect, beside those of terms, holds and usage.
"""
