"""For the SDKs that speak through httpx: hooks that note each response, and one way to call sync and async clients."""

import asyncio
import atexit


class Sync:
    def __init__(self):
        self.wire = []
        self.hooks = {"response": [self.note]}

    def note(self, response):
        response.read()
        self.keep(response)

    def keep(self, response):
        kind = response.headers.get("content-type")
        self.wire.append({"status": response.status_code, "type": kind, "text": response.text})

    def settle(self, value):
        return value


class Async(Sync):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        atexit.register(self.loop.close)

    async def note(self, response):
        await response.aread()
        self.keep(response)

    def settle(self, value):
        return self.loop.run_until_complete(value)
