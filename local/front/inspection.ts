import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type { EventBus } from '../aws/events/event-bus.ts';
import type { ProxyResponse } from '../aws/gateway/http-api.ts';
import type { Lambda } from '../aws/lambda/lambda.ts';
import type { Queues } from '../aws/queues/queues.ts';
import type { Schedules } from '../aws/schedules/schedules.ts';
import { UsageError } from '../command/usage-error.ts';
import { ISSUER, type Issuer, KEY_SET_PATH } from '../identity/issuer.ts';
import { MOST_CHARACTERS } from '../page/browser/feed.ts';
import { USER_IDS } from '../page/browser/people.ts';
import { type Chat, GROUP_ID } from '../page/chat.ts';
import { integerFrom, matching, parse, Refusal, readJsonText, textOf } from './json-request.ts';
import type { WebhookSink } from './webhook-sink.ts';

export interface Inspected {
  readonly bus: EventBus;
  readonly lambda: Lambda;
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly webhookSink: WebhookSink;
  /** The chat of the demo page. */
  readonly chat: Chat;
  readonly issueToken: (subject: string, kind: 'user') => Promise<string>;
  /** The receiver that events are posted to instead of the local webhook; null if it is the local webhook. */
  readonly otherReceiver: string | null;
}

type Handler = (request: IncomingMessage, inspected: Inspected) => unknown;

/**
 * The routes that only the local stack has: they list events and notifications, accept events and webhook posts, play
 * the schedules, and are the chat of the demo page.
 */
const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET /_local/events': (_request, { bus }) => ({ events: bus.events }),
  'POST /_local/events': async (request, { bus }) => {
    const { entries } = parse(PutRequest, await readJsonText(request));
    const results = bus.put(
      entries.map(({ source, detailType, detail, time }) => ({
        EventBusName: bus.name,
        Source: source,
        DetailType: detailType,
        Detail: JSON.stringify(detail),
        ...(time !== undefined && { Time: time }),
      })),
    );
    return { results };
  },
  'GET /_local/notifications': (_request, { webhookSink }) => ({ notifications: webhookSink.notifications }),
  'GET /_local/dead-letters': (_request, { queues }) => ({ deadLetters: queues.deadLetters }),
  'POST /_local/clock': async (request, { schedules }) => {
    const { advanceSeconds } = parse(Advance, await readJsonText(request));
    return { time: new Date(await schedules.advance(advanceSeconds)).toISOString() };
  },
  'GET /_local/functions': (_request, { lambda }) => ({ instances: lambda.sizes() }),
  'GET /_local/webhook': (_request, inspected) => usedSink(inspected).answer,
  'PUT /_local/webhook': async (request, inspected) => {
    const answer = parse(SinkAnswer, await readJsonText(request));
    usedSink(inspected).answerWith(answer);
    return answer;
  },
  'POST /_local/webhook': async (request, { webhookSink }) => {
    const status = await webhookSink.receive(request.headersDistinct, await readJsonText(request));
    if (status !== 200) throw new Refusal(status, 'The webhook is set to this status.');
    return {};
  },
  'POST /_local/chat/token': async (request, { issueToken }) => {
    const { userId } = parse(TokenRequest, await readJsonText(request));
    return { token: await issueToken(userId, 'user') };
  },
  'POST /_local/chat/members': async (request, { chat }) => {
    const { groupId, userId } = parse(JoinRequest, await readJsonText(request));
    try {
      await chat.join(groupId, userId);
    } catch (error) {
      throw error instanceof UsageError ? new Refusal(409, error.message) : error;
    }
    return {};
  },
  'POST /_local/chat/messages': async (request, { chat }) => {
    const { groupId, ...message } = parse(SendRequest, await readJsonText(request));
    const outcome = chat.send(groupId, message);
    if (outcome.kind === 'not-a-member') throw new Refusal(403, 'Only members of the chat can write in it.');
    if (outcome.kind === 'no-thread') throw new Refusal(404, 'The chat has no such message to answer.');
    return { messageId: outcome.messageId };
  },
};

const person = v.picklist(USER_IDS, `must be one of ${USER_IDS.join(', ')}`);
const groupId = matching(GROUP_ID, 'must be a group of the demo page');

const TokenRequest = v.strictObject({ userId: person });
const JoinRequest = v.strictObject({ groupId, userId: person });
const SendRequest = v.strictObject({
  groupId,
  senderId: person,
  text: textOf(MOST_CHARACTERS),
  key: textOf(64),
  threadOf: v.exactOptional(matching(/^\d{1,20}$/, 'must be a message id')),
});

const name = v.pipe(v.string('must be a text'), v.nonEmpty('must not be empty'));

const PutRequest = v.strictObject({
  entries: v.array(
    v.strictObject({
      source: name,
      detailType: name,
      // Not `v.record`, which accepts an array.
      detail: v.custom<object>(
        (detail) => typeof detail === 'object' && detail !== null && !Array.isArray(detail),
        'must be a JSON object',
      ),
      time: v.exactOptional(
        v.pipe(
          v.string('must be a time'),
          v.check((time) => !Number.isNaN(Date.parse(time)), 'must be a time'),
        ),
      ),
    }),
    'must be an array',
  ),
});

const SinkAnswer = v.strictObject({
  status: integerFrom(200, 599),
  delayMs: v.optional(integerFrom(0, 60_000), 0),
});

const Advance = v.strictObject({
  // Up to the longest time of a reminder.
  advanceSeconds: integerFrom(1, 604_800),
});

/** Returns the local webhook. If events go to another receiver it throws a Refusal, because a change would have no effect. */
function usedSink({ webhookSink, otherReceiver }: Inspected): WebhookSink {
  if (otherReceiver === null) return webhookSink;
  throw new Refusal(
    409,
    `Events are posted to ${otherReceiver}, and the local webhook is not used: start without --webhook to use it.`,
  );
}

/** Answers the routes of the local issuer, even while the stack starts. Returns null for any other path. */
export function issuerAnswer(path: string, issuer: Issuer, apiUrl: string): ProxyResponse | null {
  if (path === KEY_SET_PATH) return json(200, issuer.keySet);
  if (path !== '/_local/issuer/.well-known/openid-configuration') return null;
  return json(200, { issuer: ISSUER, jwks_uri: apiUrl + KEY_SET_PATH });
}

export async function inspect(request: IncomingMessage, inspected: Inspected): Promise<ProxyResponse> {
  const [path] = (request.url ?? '').split('?');
  const route = `${request.method} ${path}`;
  const handler = Object.hasOwn(HANDLERS, route) ? HANDLERS[route] : undefined;
  if (!handler) return json(404, { message: 'Not Found' });
  try {
    return json(200, await handler(request, inspected));
  } catch (error) {
    if (error instanceof Refusal) return json(error.status, { message: error.message });
    throw error;
  }
}

export function json(statusCode: number, body: unknown): ProxyResponse {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
