"""Valid domain objects with awkward values; a test states only what it is about."""
