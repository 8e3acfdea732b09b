"""Usage events: each is counted once, for the account that pays at its time, in sums kept in the same transaction.

Start with `intake`, which takes a batch of events (with `staging`, `locks` and `times`), then `sums`, whose SQL defines
what an account is billed for. `moves` moves usage when the payer changes, `assignments` gives usage without a payer to
an account, `periods` closes months. `reports`, `exports` and `corrections` read. `recounts` compares and repairs sums,
`proofs` compares events with sealed digests, `upkeep` creates partitions. `billing.usage` holds the pure part.
"""
