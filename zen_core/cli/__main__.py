"""`python -m zen_core.cli`: the command line where the script `zen` is not on the path."""

from zen_core.cli.main import main

main()
