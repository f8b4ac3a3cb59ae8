"""Questions and answers: `size`, `simulate`, `replay`. Start with `size.py`."""
