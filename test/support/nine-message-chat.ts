import { expect } from '@jest/globals';
import { eventually } from './engines.ts';
import type { ReceiptsGroup, ReceiptsStack } from './receipts-group.ts';
import type { Json } from './running-stack.ts';

/** A group of Alice, Bob and Carol, in which Alice has sent 1 to 9. */
export async function aNineMessageChat(stack: ReceiptsStack): Promise<ReceiptsGroup> {
  const group = await stack.groupOf('alice', 'bob', 'carol');
  await group.record('alice', '1', '2', '3', '4', '5', '6', '7', '8', '9');
  return group;
}

/** Bob's public watermark. */
export async function shownOfBob(group: ReceiptsGroup): Promise<unknown> {
  const { members } = (await group.members()).body as { members: { userId: string; messageId: Json }[] };
  return members.find(({ userId }) => userId === 'bob')?.messageId;
}

/** Waits until the events of this type about Bob are exactly these. */
export async function expectEventsOfBob(
  group: ReceiptsGroup,
  type: string,
  ...details: Record<string, unknown>[]
): Promise<void> {
  const expected = details.map((detail) => ({
    version: '1',
    groupId: group.groupId,
    userId: 'bob',
    membership: expect.any(Number),
    ...detail,
  }));
  await eventually(async () => expect(await group.details(type, 'bob')).toEqual(expected));
}
