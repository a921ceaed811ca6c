"""Slots: how many conversations may run at once, who holds one, and who waits for one to get free.

`standing` says how they stand, `queueing` keeps the queue, and `creating` gives a free slot to whoever waits longest.
"""
