"""What comes over the wire and goes back: encodings, limits, query parameters, errors.

Nothing here knows a kind. `decoding` reads a body, `negotiation` says which form the client wants, `representations`
writes the answer, and `status` turns what was refused into a Status.
"""
