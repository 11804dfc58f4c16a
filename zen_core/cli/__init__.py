"""The command line: `zen`. Commands of other packages are found by the entry points `zen.commands`."""
