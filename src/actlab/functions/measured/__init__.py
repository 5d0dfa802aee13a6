"""What is measured about functions, and what is said of them in cards and tables."""
