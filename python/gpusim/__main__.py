"""`python -m gpusim` is the command `gpusim`."""

from gpusim.cli import main

if __name__ == "__main__":
    main()
