"""The repository as folders and files."""

from .naming import dataset_path, filename, service_path
from .node import Listed, Node
from .tree import Tree

__all__ = ["Listed", "Node", "Tree", "dataset_path", "filename", "service_path"]
