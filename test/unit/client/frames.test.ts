import { expect, test } from '@jest/globals';
import * as v from 'valibot';
import type { ClientFrame, ServerFrame } from '../../../client/src/frames.ts';
import { PING, SUBPROTOCOL, sync, TOKEN_PREFIX } from '../../../shared/contract/frames.ts';
import type { ServerFrame as ContractFrame } from '../../../shared/contract/server-frames.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** One type of all fields, where an intersection would be another type of the same values. */
type Flat<T> = T extends unknown ? { [Name in keyof T]: T[Name] } : never;

/** The compiler checks it: `npm run types` fails where it is not true. */
function holds<_Claim extends true>(): void {}

// The client sends no marks over its connection, and so gets no answers to them.
holds<Same<Flat<ServerFrame>, Flat<Exclude<ContractFrame, { type: 'answer' }>>>>();

test('the frames that the client sends are those of the contract', () => {
  const all = { action: 'sync', ref: 1 } satisfies ClientFrame;
  const some = { action: 'sync', ref: 2, groups: ['tea'] } satisfies ClientFrame;
  for (const { action, ...fields } of [all, some]) {
    expect(action).toBe(sync.action);
    expect(v.safeParse(v.strictObject(sync.fields), fields).issues).toBeUndefined();
  }
  expect({ action: 'ping' } satisfies ClientFrame).toEqual({ action: PING });
  expect([SUBPROTOCOL, TOKEN_PREFIX]).toEqual(['tidemark.v1', 'bearer.']);
});
