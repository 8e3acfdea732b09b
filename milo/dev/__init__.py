"""What `manage.py up` is made of: a whole Milo on one machine, for trying it out and for working on it."""
