"""Payment profiles: how an account pays, checked by the rules of its country before anybody is asked to verify it.

`profiles` reads a profile, `payment_fields` has the fields of each form, `payment_forms` the forms there are.
"""
