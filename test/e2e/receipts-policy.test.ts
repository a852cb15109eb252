import { describe, expect, test } from '@jest/globals';
import { type Endpoint, endpoints } from '../../shared/contract/endpoints.ts';
import { freshPrefix } from '../support/engines.ts';
import { expectNotFound, expectProblem } from '../support/expected-answers.ts';
import { bodyOf, nameOf, pathOf, ROUTES, type Route } from '../support/prepared-group-routes.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';
import type { Answer, Json } from '../support/running-stack.ts';

// A test makes up to 400 calls.
const stack = withReceiptsStack();

const POLICIES = ['members', 'sender', 'off'] as const;
type Policy = (typeof POLICIES)[number];

interface Chat {
  readonly group: ReceiptsGroup;
  /** Sent 1 and 3. */
  readonly alice: string;
  /** Sent 2, and has read 3. */
  readonly bob: string;
  /** Is a member, and has sent and read nothing. */
  readonly carol: string;
  /** Sent 4, and has left. */
  readonly frank: string;
  /** Was never in the group. */
  readonly mallory: string;
}

async function aChat(policy: Policy): Promise<Chat> {
  const [alice = '', bob = '', carol = '', frank = '', mallory = ''] = [
    ...['alice', 'bob', 'carol', 'frank', 'mallory'],
  ].map(freshPrefix);
  const group = await stack.groupOf(alice, bob, carol, frank);
  await group.record(alice, '1');
  await group.record(bob, '2');
  await group.record(alice, '3');
  await group.record(frank, '4');
  await group.reads(bob, '3');
  await group.leave(frank);
  const answer = await stack.asService('PUT', `/v1/groups/${group.groupId}`, { receipts: policy });
  expect(answer.status).toBe(200);
  return { group, alice, bob, carol, frank, mallory };
}

/** Whom the calls of a route are about, and who calls: the user itself, or a back end on the user's behalf. */
type Call = (userId: string, method: string, path: string, body?: Json) => Promise<Answer>;

const CALLS: Readonly<Record<string, Call>> = {
  'the user': (userId, method, path, body) => stack.asUser(userId, method, `/v1${path}`, body),
  'a back end on behalf of the user': (userId, method, path, body) =>
    stack.asService(method, `/v1/users/${userId}${path}`, body),
};

/** Which of the messages 1 to 4 a member sees the receipts of. */
const SEEN: Readonly<Record<Policy, Readonly<Record<'alice' | 'bob' | 'carol', readonly string[]>>>> = {
  members: { alice: ['1', '2', '3', '4'], bob: ['1', '2', '3', '4'], carol: ['1', '2', '3', '4'] },
  sender: { alice: ['1', '3'], bob: ['2'], carol: [] },
  off: { alice: [], bob: [], carol: [] },
};
const MEMBERS = ['alice', 'bob', 'carol'] as const;
const OTHERS = ['frank', 'mallory'] as const;
const IDS = ['1', '2', '3', '4', '99'];

/** The routes of the contract that a policy can refuse. */
const withPolicy = (endpoints as readonly Endpoint[]).filter(({ problems }) =>
  problems?.includes('receipts_off'),
);

test('the contract lets the policy refuse the two routes of receipts', () => {
  expect(withPolicy.map(({ at }) => at)).toEqual([
    'GET /groups/{groupId}/messages/{messageId}/receipts',
    'POST /groups/{groupId}/receipts',
  ]);
});

describe.each(POLICIES)('receipts for %s', (policy) => {
  /** Where nobody may see receipts, nothing loads them into the cache. */
  const inEveryCache = ({ group }: Chat) =>
    policy === 'off' ? stack.withAndWithoutCache : group.inEveryCache;

  describe.each(Object.entries(CALLS))('asked by %s', (_who, call) => {
    const counts = ({ group }: Chat, userId: string) =>
      call(userId, 'POST', `/groups/${group.groupId}/receipts`, { messageIds: IDS });
    const list = ({ group }: Chat, userId: string, messageId: string, query = '') =>
      call(userId, 'GET', `/groups/${group.groupId}/messages/${messageId}/receipts${query}`);

    test('are counted as the policy has it, for every member', async () => {
      const chat = await aChat(policy);
      await inEveryCache(chat)(async () => {
        for (const name of MEMBERS) {
          const answer = await counts(chat, chat[name]);
          if (policy === 'off') {
            expectProblem(answer, 403, 'receipts_off');
            continue;
          }
          const { receipts } = answer.body as { receipts: { messageId: string; known: boolean }[] };
          expect(receipts.map(({ messageId }) => messageId)).toEqual(IDS);
          const known = receipts.filter((one) => one.known).map(({ messageId }) => messageId);
          expect([name, known]).toEqual([name, SEEN[policy][name]]);
          // Nothing of a message goes with it but that it is not known.
          for (const one of receipts)
            if (!one.known) expect(Object.keys(one)).toEqual(['messageId', 'known']);
        }
      });
    });

    test('are listed as the policy has it, for every member', async () => {
      const chat = await aChat(policy);
      await inEveryCache(chat)(async () => {
        for (const name of MEMBERS) {
          for (const messageId of IDS) {
            for (const state of ['read', 'unread', 'delivered']) {
              const answer = await list(chat, chat[name], messageId, `?state=${state}&limit=1`);
              if (SEEN[policy][name].includes(messageId)) expect(answer.status).toBe(200);
              else if (policy !== 'off' && messageId === '99') expectNotFound(answer);
              else expectProblem(answer, 403, 'receipts_off');
            }
          }
        }
      });
    });

    test('are not found by those who are not members, as in a group that does not exist', async () => {
      const chat = await aChat(policy);
      const nowhere = { ...chat, group: { ...chat.group, groupId: freshPrefix() } };
      const shown = ({ status, body }: Answer) => [status, { ...(body as object), requestId: 'any' }];
      await stack.withAndWithoutCache(async () => {
        for (const name of OTHERS) {
          for (const messageId of IDS) {
            const answer = await list(chat, chat[name], messageId);
            expectNotFound(answer);
            expect(shown(answer)).toEqual(shown(await list(nowhere, chat[name], messageId)));
          }
          const answer = await counts(chat, chat[name]);
          expectNotFound(answer);
          expect(shown(answer)).toEqual(shown(await counts(nowhere, chat[name])));
        }
      });
    });
  });

  test('are not for back ends without a user, nor for users on the routes of back ends', async () => {
    const chat = await aChat(policy);
    const { groupId } = chat.group;
    const call = (route: Route, userId: string) => {
      const ids = { groupId, userId, messageId: '1' };
      const body = bodyOf(route, ids);
      return [route.method, pathOf(route, ids), body === undefined ? undefined : JSON.parse(body)] as const;
    };
    const routes = ROUTES.filter(({ path }) => /receipts$/.test(path));
    expect(routes).toHaveLength(4);
    for (const route of routes) {
      const [method, path, body] = call(route, chat.alice);
      const answer =
        route.scope === 'user'
          ? await stack.asService(method, path, body)
          : await stack.asUser(chat.alice, method, path, body);
      expectProblem(answer, 403, 'forbidden');
      expect((await stack.running.call(null, method, path, body)).status).toBe(401);
    }
  });
});

describe('a policy', () => {
  test('holds from the call that sets it, in both directions', async () => {
    const { group, carol } = await aChat('members');
    const set = async (receipts: Policy) => {
      const answer = await stack.asService('PUT', `/v1/groups/${group.groupId}`, { receipts });
      expect(answer.status).toBe(200);
    };
    const known = async () =>
      ((await group.counts(carol, '1')).body as { receipts?: { known: boolean }[] }).receipts?.[0]?.known;
    expect(await known()).toBe(true);
    await set('off');
    expectProblem(await group.counts(carol, '1'), 403, 'receipts_off');
    await set('sender');
    expect(await known()).toBe(false);
    await set('members');
    expect(await known()).toBe(true);
  });

  /** A route that would end what the next ones ask about comes last. */
  const inOrder = ROUTES.toSorted((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));

  /** A member, a member who has sent nothing, and a stranger. Back ends need fewer, since their routes take any user. */
  const callersOf = ({ scope, path }: Route) =>
    scope === 'user'
      ? (['alice', 'carol', 'mallory'] as const)
      : path.includes('{userId}')
        ? (['carol', 'mallory'] as const)
        : (['carol'] as const);

  /** What every route answers, with the same names in place of ids and times. */
  async function answersOf(chat: Chat): Promise<Map<string, Json[]>> {
    const { group, ...users } = chat;
    const answers = new Map<string, Json[]>();
    for (const route of inOrder) {
      if (nameOf(route) === 'PUT /v1/groups/{groupId}') continue;
      const seen: Json[] = [];
      for (const name of callersOf(route)) {
        const userId = users[name];
        const ids = { groupId: group.groupId, userId, messageId: '1' };
        const body = bodyOf(route, ids);
        const sent = body === undefined ? undefined : (JSON.parse(body) as Json);
        const path = pathOf(route, ids);
        const isService = route.scope === 'service';
        const answer = isService
          ? await stack.asService(route.method, path, sent)
          : await stack.asUser(userId, route.method, path, sent);
        seen.push([name, answer.status, plain(answer.text, chat)]);
      }
      answers.set(nameOf(route), seen);
    }
    return answers;
  }

  function plain(text: string, { group, ...users }: Chat): string {
    const named = Object.entries({ group: group.groupId, ...users }).reduce(
      (given, [name, id]) => given.replaceAll(id, name),
      text,
    );
    return named
      .replace(/"requestId":"[^"]+"/, '"requestId":"any"')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a time')
      .replaceAll(/"(\w*[rR]evision|membership)":\d{13}/g, '"$1":"a time"');
  }

  test('changes the answers of no other route, to nobody', async () => {
    const [members, ...others] = await Promise.all(
      POLICIES.map(async (policy) => answersOf(await aChat(policy))),
    );
    for (const answers of others) {
      const differing = [...answers]
        .filter(([name, seen]) => JSON.stringify(seen) !== JSON.stringify(members?.get(name)))
        .map(([name]) => name);
      expect(differing.toSorted()).toEqual([
        'GET /v1/groups/{groupId}',
        'GET /v1/groups/{groupId}/messages/{messageId}/receipts',
        'GET /v1/users/{userId}/groups/{groupId}/messages/{messageId}/receipts',
        'POST /v1/groups/{groupId}/receipts',
        'POST /v1/users/{userId}/groups/{groupId}/receipts',
      ]);
    }
  });
});
