"""Judging: what a proxy says about archs, and how well it says it."""
