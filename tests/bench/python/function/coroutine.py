async def main(event, context):
    return event["data"] if "data" in event else "hello"
