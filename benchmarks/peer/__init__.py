"""The plain peer: what a competent Django engineer writes in an afternoon on the same tables.

ModelViewSet, ModelSerializer, pagination, django-simple-history, a token looked up by its digest, the membership
checked per request, superseding in one transaction under a row lock. It keeps no change log, renders no conditions,
speaks JSON only.
"""
