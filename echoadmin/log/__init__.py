"""The log: one append-only table for everything that happened."""
