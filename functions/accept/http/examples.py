"""Bodies that are taken as they stand: what the documents show, and what "Try it out" sends."""

# A sun over water: a PNG of 32 x 32 pixels.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAABlBMVEX6yFoYbqBTJthlAAAAQ0lEQVR42n2OsQ3AIBDE/McgsEnYDEbLKAyScJSh"
    "iGhc2ZLDgDjjLeCRLMZE3AZD+xQmXL9tQN08dyxqIIrAT3YcDxY4cxLEKXW01gAAAABJRU5ErkJggg=="
)

IMAGE = {"prompt": "make it winter", "filename": "sun.png", "image_base64": _PICTURE}
BATCH = {"prompt": "make it winter", "max_files": 10}
UPLOAD = {"filename": "harbour.jpg", "content_type": "image/jpeg", "size": 7340032}
