"""Why the local cloud cannot start."""


class CloudFailure(Exception):
    """The local cloud cannot start; the text is for the person who started it."""


class PortInUse(CloudFailure):
    """Something else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} of 127.0.0.1 is in use. Choose another with --port, or 0 for any free one.")
        self.port = port
