"""Payment terms: when invoices are due and what early and late payment costs, as arithmetic on what it is given.

`payment_terms` are the terms of an account, `payment_schedule` the days that follow from them, `payment_amounts` the
amounts.
"""
