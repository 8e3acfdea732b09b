"""Payment profiles: how an account pays, and whether a profile is well formed, before a verifier is called.

Start with `profiles`, which checks a profile against the rows of `data/payment_methods.csv`. `payment_fields` holds the
type and form of each field, `payment_forms` the forms. No value that one could pay with is accepted.
"""
