"""Usage: events counted once, for whoever paid at their time, in sums that are kept in the transaction of the intake.

`intake` takes a batch (with `staging`, `locks`, `times`), `sums` adds up, `moves` follows a change of payer, `periods`
closes months, `assignments` gives usage without a payer to one, `corrections` shows what was corrected, `reports` and
`exports` read, `recounts` and `proofs` check, `upkeep` makes partitions.
"""
