"""The tables of papers, computed again: how the networks are scored, and what each table says."""
