"""A Python client does what a person does: logs in, lists teams, creates a channel, posts, reads back, presses a button and
hears the post on the event stream. Ends with 0 only if all of it happened.

Where and as whom: MATTERMOST_URL, MATTERMOST_LOGIN, MATTERMOST_PASSWORD.
"""

import asyncio
import json
import os
import secrets
import sys
from urllib.parse import urlsplit

from mattermostautodriver import AsyncTypedDriver
from mattermostautodriver.exceptions import ResourceNotFound

PATIENCE_S = 30
BODY_BYTES_MAX = 1 << 20


def check(fact, message):
    """Like assert, but not switched off by an option of the interpreter."""
    if not fact:
        raise AssertionError(message)


def setting(name):
    value = os.environ.get(name)
    check(value, f"{name} is not set; cargo xtask foreign sets it")
    return value


def driver():
    url = urlsplit(setting("MATTERMOST_URL"))
    return AsyncTypedDriver(
        {
            "scheme": url.scheme,
            "url": url.hostname,
            "port": url.port or (443 if url.scheme == "https" else 80),
            "login_id": setting("MATTERMOST_LOGIN"),
            "password": setting("MATTERMOST_PASSWORD"),
            "max_retries": 0,
        }
    )


async def listen(pressed):
    """Listens for the press of a button, and answers with a new text for its post."""

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        check(length <= BODY_BYTES_MAX, "the call of the button is too long")
        call = json.loads(await reader.readexactly(length))
        reply = json.dumps({"update": {"message": "pressed", "props": {}}, "ephemeral_text": "thanks"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + reply)
        await writer.drain()
        writer.close()
        pressed.set_result(call)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def connect(client, heard):
    """Begins to listen to events; the stream has said hello when this returns."""
    hello = asyncio.get_running_loop().create_future()

    async def hear(text):
        event = json.loads(text)
        if event.get("event") == "hello" and not hello.done():
            hello.set_result(event)
        if event.get("event") == "posted":
            post = json.loads(event["data"]["post"])
            if post["message"] == "please press" and not heard.done():
                heard.set_result((event, post))

    stream = asyncio.create_task(client.init_websocket(hear))
    check((await hello)["data"]["connection_id"], "hello has no connection_id")
    return stream


async def run():
    loop = asyncio.get_running_loop()
    heard, pressed = loop.create_future(), loop.create_future()
    client = driver()
    me = await client.login()
    teams = await client.teams.get_teams_for_user("me")
    check(teams, "no team")
    team = teams[0]["id"]

    name = f"foreign-{secrets.token_hex(6)}"
    channel = await client.channels.create_channel(team_id=team, name=name, display_name=name, type="O")
    check((await client.channels.get_channel_by_name(team, name))["id"] == channel["id"], "another channel")

    stream = await connect(client, heard)
    server, port = await listen(pressed)
    integration = {"url": f"http://127.0.0.1:{port}/press", "context": {"secret": "kept"}}
    button = {"id": "ok", "name": "OK", "type": "button", "integration": integration}
    post = await client.posts.create_post(
        channel_id=channel["id"],
        message="please press",
        props={"attachments": [{"text": "one button", "actions": [button]}]},
    )
    event, shown = await heard
    check(shown["id"] == post["id"], "another post was heard")
    check(event["broadcast"]["channel_id"] == channel["id"], "the event names another channel")
    check("integration" not in shown["props"]["attachments"][0]["actions"][0], "the integration is shown")

    posts = await client.posts.get_posts_for_channel(channel["id"])
    check(post["id"] in posts["order"], "the post is not in the channel")
    check(posts["posts"][post["id"]]["message"] == "please press", "the post reads otherwise")

    check((await client.posts.do_post_action(post["id"], "ok"))["trigger_id"], "no trigger_id")
    call = await pressed
    check((call["user_id"], call["post_id"]) == (me["id"], post["id"]), f"another press: {call}")
    check(call["context"] == {"secret": "kept"}, f"another context: {call}")
    check((await client.posts.get_post(post["id"]))["message"] == "pressed", "the post was not updated")

    try:
        await client.channels.get_channel_by_name(team, "no-such-channel")
        check(False, "a channel that is not there was found")
    except ResourceNotFound:
        pass
    client.disconnect()
    stream.cancel()
    server.close()


def main():
    try:
        asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    except TimeoutError:
        sys.exit(f"error: not done after {PATIENCE_S} s")


main()
