"""Who is told what: rows in the transaction of the act that owes them, delivered afterwards.

`owing` writes them, `deliveries` sends them by mail and tries again, `proofs` compares them with what was sealed.
"""
