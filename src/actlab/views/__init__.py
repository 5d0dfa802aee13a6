"""What a person sees of a recording: tables in the terminal, figures, the report."""
