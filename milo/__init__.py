"""The framework: API conventions, audit, ledger, identity and staff site, without any kind of the applications.

Start with docs/architecture.md, then `milo.audit` (the only write path) and `milo.kube.kinds` (what a kind declares).
It relies on Django, Django REST framework and django-simple-history, and imports no application.
"""

__version__ = "0.1.0"
