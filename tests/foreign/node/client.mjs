// The official JavaScript client does what a person does: logs in, lists teams, creates a channel, posts, reads back, presses
// a button and hears the post on the event stream. Ends with 0 only if all of it happened.
//
// Where and as whom: MATTERMOST_URL, MATTERMOST_LOGIN, MATTERMOST_PASSWORD.

import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {createServer} from 'node:http';

import mattermost from '@mattermost/client';
import {WebSocket} from 'ws';

const {Client4, WebSocketClient} = mattermost;

// Node has one of its own from version 22 on; the same one everywhere is one cause of failure less.
globalThis.WebSocket = WebSocket;

const PATIENCE_MS = 30_000;
const BODY_BYTES_MAX = 1 << 20;

function setting(name) {
    const value = process.env[name];
    assert.ok(value, `${name} is not set; cargo xtask foreign sets it`);
    return value;
}

/** A promise of the first value that `take` is called with. */
function expected() {
    let take;
    const value = new Promise((resolve) => {
        take = resolve;
    });
    return {value, take};
}

/** Listens for the press of a button, and answers with a new text for its post. */
async function listen(pressed) {
    const server = createServer(async (request, response) => {
        let body = '';
        for await (const chunk of request) {
            body += chunk;
            assert.ok(body.length <= BODY_BYTES_MAX, 'the call of the button is too long');
        }
        response.setHeader('Content-Type', 'application/json');
        response.end(JSON.stringify({update: {message: 'pressed', props: {}}, ephemeral_text: 'thanks'}));
        pressed.take(JSON.parse(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
}

/** An event stream that has said hello; `hear` gets every event. */
async function connect(url, token, hear) {
    const stream = new WebSocketClient();
    const hello = expected();
    stream.addMissedMessageListener(() => {});
    stream.addMessageListener((event) => {
        if (event.event === 'hello') {
            hello.take(event);
        }
        hear(event);
    });
    stream.initialize(`${url.replace(/^http/, 'ws')}/api/v4/websocket`, token);
    assert.ok((await hello.value).data.connection_id, 'hello has no connection_id');
    return stream;
}

function button(url) {
    const integration = {url, context: {secret: 'kept'}};
    return {id: 'ok', name: 'OK', type: 'button', integration};
}

async function run() {
    const url = setting('MATTERMOST_URL');
    const client = new Client4();
    client.setUrl(url);
    const me = await client.login(setting('MATTERMOST_LOGIN'), setting('MATTERMOST_PASSWORD'));
    assert.equal((await client.getMe()).id, me.id);
    assert.match(client.getServerVersion(), /^\d+\.\d+\.\d+/, 'X-Version-Id');
    const [team] = await client.getMyTeams();
    assert.ok(team.id && team.name, 'no team');

    const name = `foreign-${randomBytes(6).toString('hex')}`;
    const channel = await client.createChannel({team_id: team.id, name, display_name: name, type: 'O'});
    assert.equal((await client.getChannelByName(team.id, name)).id, channel.id);

    const heard = expected();
    const stream = await connect(url, client.getToken(), (event) => {
        const post = event.event === 'posted' ? JSON.parse(event.data.post) : {};
        if (post.message === 'please press') {
            heard.take({event, post});
        }
    });
    const pressed = expected();
    const server = await listen(pressed);
    const integration = `http://127.0.0.1:${server.address().port}/press`;
    const post = await client.createPost({
        channel_id: channel.id,
        message: 'please press',
        props: {attachments: [{text: 'one button', actions: [button(integration)]}]},
    });
    const event = await heard.value;
    assert.equal(event.post.id, post.id);
    assert.equal(event.event.broadcast.channel_id, channel.id);
    const [action] = event.post.props.attachments[0].actions;
    assert.equal(action.integration, undefined, 'the integration is nobody else\'s business');

    const list = await client.getPosts(channel.id);
    assert.ok(list.order.includes(post.id));
    assert.equal(list.posts[post.id].message, 'please press');

    assert.ok((await client.doPostAction(post.id, 'ok')).trigger_id, 'no trigger_id');
    const call = await pressed.value;
    assert.deepEqual([call.user_id, call.post_id, call.channel_id], [me.id, post.id, channel.id]);
    assert.deepEqual(call.context, {secret: 'kept'});
    assert.equal((await client.getPost(post.id)).message, 'pressed');

    await assert.rejects(client.getChannelByName(team.id, 'no-such-channel'), (error) => {
        return error.status_code === 404 && error.server_error_id === 'app.channel.get_by_name.missing.app_error';
    });
    stream.close();
    server.close();
}

setTimeout(() => {
    console.error(`error: not done after ${PATIENCE_MS / 1000} s`);
    process.exit(1);
}, PATIENCE_MS).unref();

run().then(
    () => process.exit(0),
    (error) => {
        console.error('error:', error);
        process.exit(1);
    },
);
