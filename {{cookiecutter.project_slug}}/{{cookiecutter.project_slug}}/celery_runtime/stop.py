"""`make stop`: end the embedded broker of this project."""

from .embedded import PROJECT_BROKER

if __name__ == "__main__":
    stopped = PROJECT_BROKER.stop()
    print("The embedded broker was stopped." if stopped else "The embedded broker was not running.")
