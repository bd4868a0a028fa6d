"""The command line `imagejobs`."""
