"""How long the data of a closed account are kept, how they are archived, and how personal data are purged.

Start with `plans`: the days on which each account is archived and purged. `archival` archives an account into a
verified bundle, which `bundles` writes and reads. `purges` removes personal data from the account, its history and its
bundle; `pseudonyms` holds what replaces them. `proofs` finds redactions that no purge explains.
"""
