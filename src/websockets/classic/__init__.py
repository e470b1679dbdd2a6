"""Floor 5, faces: the classic API, which the top-level names are."""
