"""Accounts under accounts: who is under whom from which month on, and who is payer of record for whom.

Start at `creation` (every refusal at once) and `facts` (what is due becomes a fact, or fails). A plan is no fact: it
changes no answer. `trees` computes parents, depths and payers of record in memory; `payers` writes what follows from
them, `AccountPayer` and `BillingAccount.paid_by`, and recounts it. Readers ask `payer_of_record` of
`billing.models.affiliation`.

Lock order: the hierarchy of the organization, then accounts by primary key.
"""
