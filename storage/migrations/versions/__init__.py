"""One revision a file, each with its SQL beside it."""
