"""The three kinds of failure, each telling its catcher what to do."""


class OnetouchError(Exception):
    """Base of every error this project raises on purpose."""


class Malformed(OnetouchError):  # noqa: N818 - the trade's word: their bytes are wrong
    """Their bytes are wrong: answer with the protocol's own error and go on."""


class Unavailable(OnetouchError):  # noqa: N818 - a state of ours, not an accident
    """We cannot do it now: the asker should try again."""


class Refused(OnetouchError):  # noqa: N818 - an answer, not an accident
    """It will never be done as asked: do not try again unchanged."""
