"""A stand-in for IBM Cloud Object Storage: a second S3 endpoint with HMAC keys and buckets of its own.

The server is moto's: `python -m moto.server --port 8083`.
"""

ACCESS_KEY_ID = "cos-local-access-key"
SECRET_ACCESS_KEY = "cos-local-secret-key"
REGION = "eu-geo"
INPUT_BUCKET = "cos-input"
OUTPUT_BUCKET = "cos-output"
