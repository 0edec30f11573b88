"""Evidence from stored studies; imports neither ray nor torch."""
