from .celery_config import app

__all__ = ["app"]
