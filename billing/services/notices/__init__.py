"""The outbox: a notice is a row of the transaction that causes it, and is delivered by mail afterwards.

Start with `outbox`, which any service calls to queue notices. `deliveries` sends and retries them, and writes the
events of bound projects in batches. `proofs` compares the state of notices with their sealed outcomes. This package
imports no other service.
"""
