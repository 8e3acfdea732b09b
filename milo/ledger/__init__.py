"""Seals of the ledger: a signed hash chain over history and change log, its verification and its export.

Start with `seals.py`, then `rows.py` (leaves) and `verification.py`; docs/ledger.md describes the formats. It relies on
`milo.audit` for histories and on `milo.append_only` for guards, and imports no application.
"""
