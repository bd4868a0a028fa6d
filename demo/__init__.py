"""The demo: the main job for real, with pictures of its own or a folder's."""
