"""What two or more of the functions share. Nothing here reads the environment or opens a connection at import."""

# The service's version: of the package, the OpenAPI documents and the template's API.
__version__ = "1.1.0"
