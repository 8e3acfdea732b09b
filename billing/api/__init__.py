"""The Kubernetes API of billing: kinds, actions, read subresources and the intake of usage.

Start at `kinds` (billing accounts and bindings) and `approvals`; `projects` extends the kinds of `projects.api`.
A module holds the serializers of its manifests, whose help texts appear in OpenAPI and `kubectl explain`, and the thin
kind that maps manifests to services. Rules, locks and permissions are in `billing.services`; routes, wire formats and
refusals are in `milo.kube`.
"""
