"""Tools for development: `manage.py up` (a complete Milo on one machine), catalogs of texts, the page of settings.

Start with `milo/management/commands/up.py`, then `processes.py`. Nothing here runs in production.
"""
