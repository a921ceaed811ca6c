"""What follows the log: the text index and the roll-ups, kept by a duty that reads new entries behind the writer."""
