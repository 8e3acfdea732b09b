"""What Kubernetes itself serves and its clients rely on: namespaces, events, and reviews of who may do what.

`namespaces` shows each organization as one, `event_views` every change that has a reason, `reviews` and `token_reviews`
answer `kubectl auth`.
"""
