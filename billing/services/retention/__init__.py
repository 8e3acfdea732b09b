"""How long data are kept, and what becomes of them then.

`plans` says from when on an account is archived and purged, `archival` archives it, `bundles` writes what is archived,
`purges` takes personal data out of the account and its past, `pseudonyms` says what is left in their place, `proofs`
finds what was taken out of the past for no purge.
"""
