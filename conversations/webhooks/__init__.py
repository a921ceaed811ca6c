"""Webhooks in: what Tavus reports is stored first, and believed only after a look upstream.

Tavus signs nothing, repeats as it likes and keeps no order (docs.tavus.io, Webhooks and Callbacks): so the address
holds a secret, everything is logged, and all that a webhook does is to have the console ask Tavus itself.
"""
