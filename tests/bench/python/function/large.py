# As large as the answers of the benchmark of Node.js.
SIZE = 5 << 20


async def main(event, context):
    return b"x" * SIZE
