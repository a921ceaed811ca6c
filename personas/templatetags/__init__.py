"""Template tags of the persona pages."""
