"""A training of a user's own, watched: what its layers do at some steps, seen without changing anything."""
