"""Tests against bulkd, a local daemon that is compatible with Courier's Bulk API.

With pytest the fixture ``bulkd`` is there by itself. Without it::

    with Daemon.start() as daemon:
        environment = daemon.environment()
        ...  # point Courier's SDK at environment.base_url, with environment.api_key
        message = environment.wait_for_message(recipient="ada")
"""

from ._daemon import Daemon, StartError, find_binary
from ._environment import Clock, Environment, Fault, Finding
from ._errors import BulkdError, NotMet, Refused
from ._message import Delivery, Message
from ._words import absent, contains, equals, matches, present

__all__ = [
    "BulkdError",
    "Clock",
    "Daemon",
    "Delivery",
    "Environment",
    "Fault",
    "Finding",
    "Message",
    "NotMet",
    "Refused",
    "StartError",
    "absent",
    "contains",
    "equals",
    "find_binary",
    "matches",
    "present",
]
