import { Moment } from './expected.ts';
import {
  ALL,
  type Attributes,
  advance,
  type Group,
  isRecorded,
  larger,
  type Member,
  type Message,
  messageOf,
  privately,
  upTo,
  withMessage,
} from './model.ts';
import type { Rules } from './rules.ts';

/** What a back end says of a message: by a route, alone or among several, or by a fact. */
export interface Sending {
  readonly messageId: bigint;
  readonly senderId: string;
  /** A time, or how many seconds before the call. */
  readonly sentAt?: string | number | undefined;
  readonly attributes: Attributes;
}

/** The message as its first recording describes it. It may have been deleted before. */
export function messageFrom(
  { messageId, senderId, sentAt, attributes }: Sending,
  before: Message | undefined,
  recorded: Pick<Message, 'recordedBy' | 'sentAt'>,
): Message {
  const { silent = false, mentions = [], advanceSender = true, remindAfterSeconds } = attributes;
  const sentSecondsAgo = typeof sentAt === 'number' ? sentAt : 0;
  return {
    messageId,
    senderId,
    deleted: before?.deleted ?? false,
    ...recorded,
    isSilent: silent,
    mentions,
    advancesSender: advanceSender,
    reminder: remindAfterSeconds === undefined ? null : { afterSeconds: remindAfterSeconds, sentSecondsAgo },
  };
}

/** The messages without this one, which may not be recorded yet. */
export function withoutMessage(messages: readonly Message[], messageId: bigint): readonly Message[] {
  const unknown: Message = {
    messageId,
    senderId: null,
    deleted: true,
    recordedBy: null,
    sentAt: null,
    isSilent: false,
    mentions: [],
    advancesSender: true,
    reminder: null,
  };
  const known = messageOf(messages, messageId) ?? unknown;
  return withMessage(messages, { ...known, deleted: true });
}

/** The group after a message was recorded by a route. */
export function record(
  group: Group,
  sending: Sending,
  number: number,
  rules: Rules,
): readonly [Group, 'recorded' | 'known' | 'conflict'] {
  const known = messageOf(group.messages, sending.messageId);
  const recorded = messageFrom(sending, known, { recordedBy: number, sentAt: null });
  if (known !== undefined && isRecorded(known)) {
    if (known.senderId !== sending.senderId) return [group, 'conflict'];
    const messages = withMessage(group.messages, rules.recordedAgain(known, recorded));
    return [{ ...group, messages }, 'known'];
  }
  return [
    {
      ...group,
      head: larger(group.head, sending.messageId),
      messages: withMessage(group.messages, recorded),
    },
    'recorded',
  ];
}

/** The messages of one sender in an operation. */
export interface Sent {
  readonly messageIds: readonly bigint[];
  readonly isAmongSeveral: boolean;
}

/** The possible states of the sender after its messages were recorded by this operation, or were known. */
export function possibleSenders(
  group: Group,
  sender: Member,
  { messageIds, isAmongSeveral }: Sent,
  number: number,
  rules: Rules,
): readonly Member[] {
  const moves = messageIds.map((messageId) => {
    const message = messageOf(group.messages, messageId);
    const move =
      message === undefined
        ? 'never'
        : rules.movesSender({
            isFirst: message.recordedBy === number,
            isTheirs: message.senderId === sender.userId,
            isShownAsRead: sender.shown >= messageId || sender.sentPrivately.includes(messageId),
            advances: message.advancesSender,
            isAmongSeveral,
          });
    return { messageId, move };
  });
  const idsOf = (wanted: (typeof moves)[number]['move']) =>
    moves.filter(({ move }) => move === wanted).map(({ messageId }) => messageId);
  const surely = idsOf('surely').reduce(larger, 0n);
  const now = (what: string) => new Moment(number, `${group.groupId} ${sender.userId} ${what}`);
  const isHidden = rules.isHidden(sender, 'sending');
  return [surely, ...idsOf('perhaps').filter((messageId) => messageId > surely)].map((largest) => {
    const moved = advance(sender, upTo(largest, isHidden ? privately(ALL) : ALL), now);
    const sent = moves.filter(({ messageId, move }) => move !== 'never' && messageId <= largest);
    if (!isHidden || sent.length === 0) return moved;
    const sentPrivately = [...sender.sentPrivately, ...sent.map(({ messageId }) => messageId)];
    return { ...moved, sentPrivately: [...new Set(sentPrivately)] };
  });
}
