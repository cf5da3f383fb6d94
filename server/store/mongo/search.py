class Searcher:
    def __init__(self, *a): pass
    async def ids(self, query, most, session): return []
