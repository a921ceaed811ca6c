"""What only the sandbox mode has: the banner on every page, the drawn stage, the page of the twin's faults."""
