"""Reviews: `kubectl auth whoami` and `kubectl auth can-i`, and TokenReview.

Start with `reviews`, whose views answer from the access table. `token_reviews` authenticates a token for another
service. `review_schemas` holds the serializers. Relies on `milo.access`, which enforces the same table.
"""
