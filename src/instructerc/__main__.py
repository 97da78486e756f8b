"""`python -m instructerc`: the command line."""

from __future__ import annotations

from instructerc.cli import main

if __name__ == "__main__":
    main()
