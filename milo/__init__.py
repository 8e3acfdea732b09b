"""The framework of Milo, which knows nothing of billing: API conventions, audit, ledger, identity, staff site.

Start with docs/architecture.md, then `milo.audit` (the only write path) and `milo.kube.kinds` (what a kind declares).
It relies on Django, Django REST framework and django-simple-history, and imports neither `projects` nor `billing`.
"""

__version__ = "0.1.0"
