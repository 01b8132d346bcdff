"""The assembled program: settings, container, command line."""
