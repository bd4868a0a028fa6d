"""`python -m imagejobs_cli` is `imagejobs`."""

from imagejobs_cli.app import main

if __name__ == "__main__":
    main()
