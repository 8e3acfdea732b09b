"""The OpenAPI v3 document of every kind, and what hangs on it: `kubectl explain`, Swagger UI, generated clients."""
