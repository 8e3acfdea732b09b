"""Who may do what, and who a token stands for: `kubectl auth whoami` and `can-i`, and TokenReview.

`reviews` and `token_reviews` answer from the one access table; `review_schemas` has their shapes.
"""
