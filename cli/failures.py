"""Why a command ends with another status than 0."""


class CommandFailure(Exception):
    """The command was right, and what it asked for failed: status 1."""

    status = 1


class UsageFailure(CommandFailure):
    """The command cannot be meant that way: status 2."""

    status = 2
