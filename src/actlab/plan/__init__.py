"""What is trained together, on what and in which order: without a framework."""
