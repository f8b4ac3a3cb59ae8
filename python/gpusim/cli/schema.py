"""`gpusim schema`: the JSON schema of scenario files, for editors."""

from __future__ import annotations

import json

from gpusim.cli.output import print_text


def schema() -> None:
    """Print the JSON schema of scenario files."""
    from gpusim.scenario import scenario_schema

    print_text(json.dumps(scenario_schema(), indent=2))
