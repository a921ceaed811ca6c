"""Webhooks out: what happens here, told to addresses of the users' own, signed, and tried again until it arrives."""
