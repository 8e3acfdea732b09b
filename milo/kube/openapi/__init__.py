"""OpenAPI documents, used by `kubectl explain`, Swagger UI and generated clients.

Start with `operations.Operation`, the description of one method of a view. `kind_operations` and `core_operations`
describe the views, `schema` passes this to drf-spectacular, `documents` builds and caches the documents, `swagger`
converts them to OpenAPI 2.0, and `views` serves them. Relies on the serializers that each kind is registered with.
"""
