"""Where the core meets databases, caches, the network and the machine."""
