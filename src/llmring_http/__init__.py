"""JSON over HTTP, nothing else."""
