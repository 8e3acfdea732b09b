"""The processes that serve HTTP.

`server` is one of them and how it stops, `supervisor` keeps several, `protocol` bounds what a connection may send.
"""
