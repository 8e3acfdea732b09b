"""The Kubernetes kinds Organization and Project; start at `kinds`. `billing.api.projects` extends both."""
