"""`python -m rouse` is the `rouse` command."""

from rouse.cli.main import main

main()
