"""What Kubernetes itself serves and its clients rely on: namespaces, events, custom resource definitions.

`namespaces` shows each organization as one, `event_views` every change that has a reason, `event_watch` as it happens;
`apiextensions` has no definitions.
"""
