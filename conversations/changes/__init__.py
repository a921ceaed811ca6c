"""Webhooks out for the states of echoes, rooms and conversations.

A trigger writes a StateChange in the statement that changes a state: none can be forgotten by code that changes states,
none is lost by a kill, and the outbox's statements stay as they are. A duty makes deliveries of them and deletes them,
in one transaction. Without a subscription that wants to know, nothing is written.
"""
