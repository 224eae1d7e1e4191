"""The mount: the tree as a read-only filesystem of the kernel, through FUSE."""
