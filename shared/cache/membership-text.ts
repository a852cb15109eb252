import type { Membership, MembershipState, OwnRegister, Register } from '../domain/membership.ts';
import { decodePosition, encodePosition } from './position-text.ts';

/** Nine base-36 digits hold milliseconds for three thousand years at a fixed width. */
const GENERATION_WIDTH = 9;
const REGISTERS = 3;

/** Since the generation began: no longer than that, so that any is a date. */
const TIME = /^-?[0-9a-z]{1,9}$/;

/**
 * A membership as the cache's scripts read it: membership.lua has the format. At most 44 bytes for who reads and never
 * marked anything unread, which with Redis's own take 48.
 */
export function encodeMembership(state: MembershipState): string {
  const { generation } = state;
  const generationText = generation.toString(36).padStart(GENERATION_WIDTH, '0');
  if (state.kind === 'departed') return `${generationText}-`;
  const parts = [
    encodePosition(state.joinedAfter),
    revisionText(state) + encodeRegister(state.self, generation),
    encodeRegister(state.public, generation),
    encodeRegister(state.delivered, generation),
  ];
  while (parts.length > 1 && parts.at(-1) === parts.at(-2)) parts.pop();
  return generationText + parts.join('|');
}

/** Throws where the text is none that `encodeMembership` or the scripts write. */
export function decodeMembership(text: string): MembershipState {
  const generation = Number.parseInt(text.slice(0, GENERATION_WIDTH), 36);
  if (!Number.isSafeInteger(generation)) throw new Error(`not a membership: ${text}`);
  const [joined = '', ...registers] = text.slice(GENERATION_WIDTH).split('|');
  if (joined === '-') return { kind: 'departed', generation };
  while (registers.length < REGISTERS) registers.push(registers.at(-1) ?? joined);
  const [self = '', shown = '', delivered = ''] = registers;
  const own = decodeOwn(self, generation);
  return {
    kind: 'member',
    generation,
    joinedAfter: decodePosition(joined),
    ...own,
    public: decodeRegister(shown, generation),
    delivered: decodeRegister(delivered, generation),
  } satisfies Membership;
}

/** The time is told since the generation began, which is shorter; it may lie before, by clocks that differ. */
function encodeRegister({ position, at }: Register, generation: number): string {
  const text = encodePosition(position);
  return at === null ? text : `${text}@${(at - generation).toString(36)}`;
}

function decodeRegister(text: string, generation: number): Register {
  const [position = '', since] = text.split('@');
  if (since !== undefined && !TIME.test(since)) throw new Error(`not a time: ${since}`);
  return {
    position: decodePosition(position),
    at: since === undefined ? null : generation + Number.parseInt(since, 36),
  };
}

/** The revision counted from the first one of the membership, and that one where it is not 0. */
function revisionText({ firstRevision, self }: Membership): string {
  if (self.revision === 0) return '';
  const count = String(self.revision - firstRevision);
  return firstRevision === 0 ? `${count}~` : `${count}^${firstRevision}~`;
}

function decodeOwn(text: string, generation: number): { firstRevision: number; self: OwnRegister } {
  const [revisions, register] = text.includes('~') ? text.split('~') : ['0', text];
  const [count, first] = (revisions ?? '').split('^');
  const firstRevision = Number(first ?? 0);
  const revision = firstRevision + Number(count);
  if (!Number.isSafeInteger(revision)) throw new Error(`not a revision: ${revisions}`);
  return { firstRevision, self: { revision, ...decodeRegister(register ?? '', generation) } };
}
