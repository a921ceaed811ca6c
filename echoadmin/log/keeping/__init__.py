"""What is kept and what is forgotten: pruning by age, legal holds, and erasure of what was said."""
