"""What is configured, and what is noted in small files beside repositories."""

from .settings import Config, Environment, check_name

__all__ = ["Config", "Environment", "check_name"]
