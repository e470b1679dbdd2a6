"""Floor 4, engine, and floor 5, the modern face: WebSocket on asyncio."""
