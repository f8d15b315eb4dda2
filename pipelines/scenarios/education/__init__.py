"""Pupils: how far they have come, and which course is next."""
