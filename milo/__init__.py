"""The frame: what would serve a resource other than billing just as well. docs/architecture.md is the way in."""

__version__ = "0.1.0"
