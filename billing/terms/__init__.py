"""Payment terms: when invoices are due, and what early and late payment costs. Arithmetic on its arguments alone.

Start with `payment_terms`, the terms of an account and their faults. `payment_schedule` computes the days that follow
from them, `payment_amounts` the amounts. docs/compliance.md, "Conventions", holds the rules.
"""
