"""The contracts between rooms: one small file each."""
