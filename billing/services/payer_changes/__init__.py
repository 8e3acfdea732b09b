"""Payer changes: plans by which one account becomes the payer of many projects at an instant.

Start at `creation` (the set of projects is fixed then) and `facts` (items whose instant has come become bindings). A
plan is no fact: nothing but the bindings that it makes says who pays. Whatever changes the payer of a project first
calls `facts.make_due_facts` under the lock of the project, so that a late worker is never seen in the ledger.

Lock order: projects, accounts, payer changes, each by primary key; then usage.
"""
