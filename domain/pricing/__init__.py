"""The price models, one small file each."""
