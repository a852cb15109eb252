import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import type * as client from '../../../client/src/answers.ts';
import { createUserApi, USER_ROUTES, type UserCalls } from '../../../client/src/api.ts';
import type { ErrorCode } from '../../../client/src/error.ts';
import { createServiceApi, SERVICE_ROUTES, type ServiceCalls } from '../../../client/src/service.ts';
import type * as answers from '../../../shared/contract/answers.ts';
import { type Request, routesOf, schemasOf, type Taken } from '../../../shared/contract/endpoint.ts';
import { type AnswersOf, endpoints } from '../../../shared/contract/endpoints.ts';
import type { ProblemCode } from '../../../shared/contract/problems.ts';
import * as requests from '../../../shared/contract/requests.ts';

/** True where two types are the same, optional fields and unions included. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** One type of all fields, where an intersection would be another type of the same values. */
type Flat<T> = { [Name in keyof T]: T[Name] };

/** The compiler checks it: `npm run types` fails where it is not true. */
function holds<_Claim extends true>(): void {}

type OutputOf<Name extends keyof typeof answers> = v.InferOutput<(typeof answers)[Name]>;

holds<Same<client.WatermarkMoved, OutputOf<'watermarkMoved'>>>();
holds<Same<client.Watermark, OutputOf<'watermark'>>>();
holds<Same<client.DeliveredMoved, OutputOf<'deliveredMoved'>>>();
holds<Same<client.MarkOutcomes, OutputOf<'markOutcomes'>>>();
holds<Same<client.MarkAllOutcomes, OutputOf<'markAllOutcomes'>>>();
holds<Same<client.MessageStatuses, OutputOf<'messageStatuses'>>>();
holds<Same<client.InboxPage, OutputOf<'inboxPage'>>>();
holds<Same<client.InboxGroup, OutputOf<'inboxGroup'>>>();
holds<Same<client.Badge, OutputOf<'badge'>>>();
holds<Same<client.Badges, OutputOf<'badges'>>>();
holds<Same<client.Preferences, OutputOf<'preferences'>>>();
holds<Same<client.ReceiptsPage, OutputOf<'receiptsPage'>>>();
holds<Same<client.Receipts, OutputOf<'receipts'>>>();
holds<Same<client.UserExport, OutputOf<'userExport'>>>();
holds<Same<client.ExportedMembership, OutputOf<'exportedMembership'>>>();
holds<Same<client.MemberJoined, OutputOf<'memberJoined'>>>();
holds<Same<client.MembersAdded, OutputOf<'membersAdded'>>>();
holds<Same<client.MembersPage, OutputOf<'membersPage'>>>();
holds<Same<client.MessageRecorded, OutputOf<'messageRecorded'>>>();
holds<Same<client.RecordOutcomes, OutputOf<'recordOutcomes'>>>();
holds<Same<client.Group, OutputOf<'group'>>>();
holds<Same<client.Health, OutputOf<'health'>>>();

holds<Same<ErrorCode, ProblemCode | 'network'>>();

type Calls = UserCalls & ServiceCalls;
type Requests = typeof requests;

/** The endpoints that a call is not named after: the health of the service takes no fields. */
type Health = 'checkHealth';
holds<Same<keyof Calls, Exclude<keyof Requests, Health>>>();

/** What each call returns is what the contract's successful answers are. */
type AnswerOf<Name extends keyof Calls> = Awaited<ReturnType<Calls[Name]>>;
type Success<Name extends string> = {
  [Status in keyof AnswersOf<Name>]: AnswersOf<Name>[Status] extends v.GenericSchema
    ? v.InferOutput<AnswersOf<Name>[Status]>
    : never;
}[keyof AnswersOf<Name>];
type WrongAnswers = {
  [Name in keyof Calls]: Same<AnswerOf<Name>, Success<Name>> extends true ? never : Name;
}[keyof Calls];
holds<Same<WrongAnswers, never>>();

/**
 * What each call takes has the contract's names, and types that are its parsed values before parsing: ids are text, times
 * too, and all that may be left out may be given as undefined.
 */
type Sent<T> = T extends readonly (infer Entry)[]
  ? readonly Sent<Entry>[]
  : T extends string
    ? keyof T extends keyof string
      ? T
      : string // an id, which the contract marks as parsed
    : T extends object
      ? { [Name in keyof T]-?: Sent<Exclude<T[Name], undefined>> }
      : T;
type FieldsOf<Name extends keyof Calls> = NonNullable<Parameters<Calls[Name]>[0]>;
type Given<T> = T extends readonly (infer Entry)[]
  ? readonly Given<Entry>[]
  : T extends object
    ? { [Name in keyof T]-?: Given<Exclude<T[Name], undefined>> }
    : T;
type ContractFields<Name extends keyof Calls> = Taken<Requests[Name]>;
/** Fields whose text the contract parses into something else or parses later, and the cursor of an answer, which the client leaves out at null. */
type Parsed = {
  cursor: string | null;
  sentAt: string;
  joinedAfter: string | null;
  mutedUntil: string | null;
  messages: readonly ContractSent<'recordMessage'>[];
};
type ContractSent<Name extends keyof Calls> = Flat<{
  [Field in keyof ContractFields<Name>]-?: Field extends keyof Parsed
    ? Parsed[Field]
    : Sent<Exclude<ContractFields<Name>[Field], undefined>>;
}>;
type WrongFields = {
  [Name in keyof Calls]: Same<Flat<Given<FieldsOf<Name>>>, ContractSent<Name>> extends true ? never : Name;
}[keyof Calls];
holds<Same<WrongFields, never>>();

const byName: ReadonlyMap<string, Request> = new Map(Object.entries(requests));
const routes: Readonly<Record<string, string>> = { ...USER_ROUTES, ...SERVICE_ROUTES };

describe('the calls of the client', () => {
  test('are those of the contract, at its routes', () => {
    const callsOf = (who: string) =>
      Object.fromEntries(endpoints.filter((one) => one.who === who).map(({ name, at }) => [name, at]));
    expect(USER_ROUTES).toEqual(callsOf('user'));
    expect(SERVICE_ROUTES).toEqual(callsOf('service'));
    expect(endpoints.filter(({ name }) => !(name in routes)).map(({ name }) => name)).toEqual([
      'checkHealth',
    ]);
  });

  const FIELDS = {
    markRead: { groupId: 'tea', messageId: '1', private: true, ifRevision: 0 },
    markUnread: { groupId: 'tea', messageId: '1' },
    markDelivered: { groupId: 'tea', messageId: '1' },
    markGroups: {
      marks: [{ groupId: 'tea', messageId: '1', private: true, ifRevision: 0, delivered: undefined }],
    },
    getWatermark: { groupId: 'tea' },
    getMessageStatus: { groupId: 'tea', messageIds: ['1'] },
    getInbox: { unreadOnly: true, archived: true, parentId: 'hall', limit: 200, cursor: 'c' },
    markAll: { parentId: 'hall', unmutedOnly: true, cursor: 'c' },
    getBadge: {},
    listReceipts: { groupId: 'tea', messageId: '1', state: 'unread', limit: 500, cursor: 'c' },
    countReceipts: { groupId: 'tea', messageIds: ['1'] },
    getPreferences: { groupId: 'tea' },
    setPreferences: {
      ...{ groupId: 'tea', notify: 'mentions', mutedUntil: '2099-12-31T12:00:00Z' },
      ...{ hideReceipts: true, archive: 'untilNew' },
    },
    addMember: { groupId: 'tea', userId: 'ann', joinedAfter: null },
    addMembers: { groupId: 'tea', userIds: ['ann'] },
    listMembers: { groupId: 'tea', limit: 500, cursor: 'c' },
    removeMember: { groupId: 'tea', userId: 'ann' },
    recordMessage: {
      ...{ groupId: 'tea', messageId: '1', senderId: 'ann', sentAt: '2026-01-31T12:00:00.000Z' },
      ...{ silent: true, mentions: 'all', advanceSender: false },
      remindAfterSeconds: 600,
    },
    recordMessages: {
      messages: [
        { groupId: 'tea', messageId: '1', senderId: 'ann', mentions: ['bob'] },
        { groupId: 'hall', messageId: '1', senderId: 'ann', silent: true },
      ],
    },
    deleteMessage: { groupId: 'tea', messageId: '1' },
    getGroup: { groupId: 'tea' },
    setGroup: { groupId: 'tea', parentId: null, receipts: 'sender' },
    countBadges: { userIds: ['ann', 'bob'] },
    deleteGroup: { groupId: 'tea' },
    eraseUser: { userId: 'ann' },
    exportUser: { userId: 'ann', cursor: 'c' },
  } satisfies { [Name in keyof Calls]: FieldsOf<Name> };
  const names = Object.keys(FIELDS) as (keyof Calls)[];

  interface Sending {
    readonly method: string;
    readonly path: string;
    readonly query: object;
    readonly body: object;
  }

  /** A call as the service receives it. */
  async function sendingOf(name: keyof Calls, onBehalfOf?: string): Promise<Sending> {
    const sent: Sending[] = [];
    const options = {
      url: 'http://service.example/',
      fetch: async (url: string, init: { readonly method: string; readonly body?: string | undefined }) => {
        const { pathname, searchParams } = new URL(url);
        const body = JSON.parse(init.body ?? '{}') as object;
        sent.push({ method: init.method, path: pathname, query: Object.fromEntries(searchParams), body });
        return { ok: true, status: 200, headers: new Headers(), text: async () => '{}' };
      },
    };
    const service = createServiceApi(options);
    const own = onBehalfOf === undefined ? createUserApi(options) : service.onBehalfOf(onBehalfOf);
    const calls: Readonly<Record<string, unknown>> = { ...service, ...own };
    await (calls[name] as (fields: object) => Promise<unknown>)(FIELDS[name]);
    const [only] = sent;
    if (!only || sent.length > 1) throw new Error(`${sent.length} calls were sent`);
    return only;
  }

  test.each(names)('sends %s as the contract takes it', async (name) => {
    const request = byName.get(name);
    if (!request) throw new Error(`the contract has no ${name}`);
    for (const [at, route] of routesOf(request).entries()) {
      const { method, path, query, body } = await sendingOf(name, at === 0 ? undefined : 'ann');
      expect(method).toBe(route.method);
      const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, one = '']) => one);
      const pattern = new RegExp(`^${route.path.replace(/\{\w+\}/g, '([^/]+)')}$`);
      const found = pattern.exec(path)?.slice(1) ?? [];
      const parameters = Object.fromEntries(names.map((one, index) => [one, found[index]]));
      const schemas = schemasOf(request);
      expect(v.safeParse(schemas.path, parameters).issues).toBeUndefined();
      expect(v.safeParse(schemas.query, query).issues).toBeUndefined();
      expect(v.safeParse(schemas.body, body).issues).toBeUndefined();
      // Nothing is lost on the way, but for what is undefined.
      const sent = { ...parameters, ...query, ...body };
      expect(
        Object.keys(sent)
          .filter((one) => one !== 'userId' || at === 0)
          .toSorted(),
      ).toEqual(Object.keys(FIELDS[name]).toSorted());
    }
  });
});
