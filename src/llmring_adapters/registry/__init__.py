"""Registry: the public registry over HTTP, the snapshot book, the bundled snapshot."""
