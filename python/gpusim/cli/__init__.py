"""The command line: one file per verb, `app.py` joins them, `failures.py` turns errors into exit codes."""

from gpusim.cli.app import app, main

__all__ = ["app", "main"]
