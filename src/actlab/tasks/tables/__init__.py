"""A user's own table, of any kind of file: read, told column by column, split, encoded."""
