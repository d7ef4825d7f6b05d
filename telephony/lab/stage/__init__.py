"""The command `onetouch lab`: the daemon, a process of its own, between simulators."""
