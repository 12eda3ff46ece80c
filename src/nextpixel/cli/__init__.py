"""The command line: one module a command, none of which imports PyTorch before it runs."""
