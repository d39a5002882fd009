"""Hints on the quality of the images: duplicates, placeholders, what is odd."""
