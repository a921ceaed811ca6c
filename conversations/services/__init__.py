"""What people and programs can ask for: keyword-only functions, each with the actor who asks.

`mirroring` creates, ends and syncs conversations; `rooms` joins and leaves; `speaking` makes the replica speak;
`stopping` stops everything at once; `workers` drains a worker.
"""
