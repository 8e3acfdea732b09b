"""HTTP level of the API: body formats, limits, query parameters, conditional requests and errors.

No module here depends on kinds. Start with `status`, which renders every refusal as a Status object. `decoding` parses
bodies, `negotiation` evaluates Accept, and `representations` finishes each response (ETag, 304, gzip). Relies on
`milo.errors` for the refusals and on `milo.card_numbers` for masking.
"""
