"""The days when something dies: what is kept, what the caller sees, how it goes on."""
