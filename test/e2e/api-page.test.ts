import { beforeAll, expect, test } from '@jest/globals';
import { eventDetails } from '../../shared/contract/event-details.ts';
import { expectDocumentedEvent } from '../support/documented.ts';
import { eventually } from '../support/engines.ts';
import { expectedRoutes } from '../support/expected-functions.ts';
import {
  comparable,
  fieldsIn,
  type PageSamples,
  type SampleCall,
  samplesOf,
} from '../support/page-samples.ts';
import { type Json, withStack } from '../support/running-stack.ts';

const stack = withStack();
let page: PageSamples;
beforeAll(async () => {
  page = await samplesOf('api.md');
});

/** The events after a call. The test waits for them, because moves at nearly the same time may become one event. */
const EVENTS_AFTER: Readonly<Record<string, readonly string[]>> = {
  'bob: PUT /v1/groups/tea/watermark {"messageId":"101"}': ['WatermarkAdvanced', 'GroupFullyRead'],
  'bob: POST /v1/groups/tea/unread {"messageId":"101"}': ['OwnWatermarkMoved'],
};

const inWords = ({ caller, method, path, body }: SampleCall) =>
  [`${caller}:`, method, path, ...(body === undefined ? [] : [JSON.stringify(body)])].join(' ');

async function tokenOf(caller: string): Promise<string | null> {
  if (caller === 'anyone') return null;
  return caller === 'back end' ? stack.serviceToken() : stack.userToken(caller);
}

/** The events that the webhook has received: each whole event, and its detail. */
async function posted(): Promise<Json[]> {
  const { body } = await stack.call(null, 'GET', '/_local/notifications');
  const { notifications } = body as { notifications: { body: string }[] };
  return notifications.flatMap((notification) => {
    const event = JSON.parse(notification.body) as { detail: Json };
    expectDocumentedEvent(event);
    return [event, event.detail].map(comparable);
  });
}

async function expectEvent(name: string): Promise<void> {
  const sample = page.events.find((event) => event.name === name);
  if (!sample) throw new Error(`the page has no ${name}`);
  await eventually(async () => expect(await posted()).toContainEqual(comparable(sample.event)));
}

async function remind(): Promise<void> {
  const turned = await stack.call(null, 'POST', '/_local/clock', { advanceSeconds: 600 });
  expect(turned).toMatchObject({ status: 200 });
  await expectEvent('MessageStillUnread');
}

test('the page’s calls, one after the other, give its answers and events', async () => {
  for (const call of page.calls) {
    const { method, path, body } = call;
    // Before Carol mutes the group: muted members are not reminded.
    if (method === 'PATCH') await remind();
    const { status, body: answer } = await stack.call(await tokenOf(call.caller), method, path, body);
    const shown = { call: inWords(call), status: call.status, answer: comparable(call.answer) };
    expect({ call: inWords(call), status, answer: comparable(answer) }).toEqual(shown);
    for (const name of EVENTS_AFTER[inWords(call)] ?? []) await expectEvent(name);
  }
  for (const { name } of page.events) await expectEvent(name);
});

test('the page shows every event, and each route at least once', () => {
  expect(page.events.map(({ name }) => name).toSorted()).toEqual([
    'DeliveryAdvanced',
    'GroupDeleted',
    'GroupFullyRead',
    'MessageStillUnread',
    'OwnWatermarkMoved',
    'PreferencesChanged',
    'UserErased',
    'WatermarkAdvanced',
  ]);
  expect(page.events.map(({ name }) => name).toSorted()).toEqual(Object.keys(eventDetails).toSorted());
  const shown = page.calls.map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`);
  const isShown = ({ method, path }: { method: string; path: string }) => {
    const pattern = new RegExp(`^${method} ${path.replace(/\{\w+\}/g, '[^/]+')}$`);
    return shown.some((call) => pattern.test(call));
  };
  // A route on a user's behalf has the same answers as the user's own.
  const isTwin = ({ path }: { path: string }) =>
    expectedRoutes.some(
      (other) => other.who === 'user' && path === other.path.replace('/v1', '/v1/users/{userId}'),
    );
  const own = expectedRoutes.filter((route) => !isTwin(route));
  expect(own.filter((route) => !isShown(route))).toEqual([]);
});

test('the page’s table has exactly the fields of its samples', () => {
  const [, table = ''] = page.markdown.split('\n## Fields\n');
  const named = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  const shown = [...page.calls.map(({ answer }) => answer), ...page.events.map(({ event }) => event)];
  expect(named.toSorted()).toEqual([...new Set(shown.flatMap(fieldsIn))].toSorted());
});
