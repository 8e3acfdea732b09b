"""Resources of Kubernetes itself that its clients rely on: namespaces, events and custom resource definitions.

Start with `events`, which renders changes with a reason as Events; `event_views` serves and `event_watch` streams them.
`namespaces` serves each organization as a Namespace. `apiextensions` serves an empty list of definitions. Relies on the
change log (`milo.kube.store`).
"""
