import type { Membership, MembershipState, OwnRegister, Register } from '../domain/membership.ts';
import { storedPosition } from '../domain/position.ts';

/** Nine base-36 digits hold milliseconds for three thousand years at a fixed width. */
const GENERATION_WIDTH = 9;
const PARTS = 5;

/** A membership as the cache's scripts read it: membership.lua has the format. Around 50 bytes once it has moved. */
export function encodeMembership(state: MembershipState): string {
  const generation = state.generation.toString(36).padStart(GENERATION_WIDTH, '0');
  if (state.kind === 'departed') return `${generation}|-`;
  const { revision } = state.self;
  const parts = [
    generation,
    state.joinedAfter as string,
    (revision ? `${revision}~` : '') + encodeRegister(state.self),
    encodeRegister(state.public),
    encodeRegister(state.delivered),
  ];
  while (parts.length > 2 && parts.at(-1) === parts.at(-2)) parts.pop();
  return parts.join('|');
}

/** Throws where the text is none that `encodeMembership` or the scripts write. */
export function decodeMembership(text: string): MembershipState {
  const [generationText = '', joined = '', ...rest] = text.split('|');
  const generation = Number.parseInt(generationText, 36);
  if (!Number.isSafeInteger(generation)) throw new Error(`not a membership: ${text}`);
  if (joined === '-') return { kind: 'departed', generation };
  const registers = [...rest];
  while (registers.length < PARTS - 2) registers.push(registers.at(-1) ?? joined);
  const [self = '', shown = '', delivered = ''] = registers;
  return {
    kind: 'member',
    generation,
    joinedAfter: storedPosition(joined),
    self: decodeOwn(self),
    public: decodeRegister(shown),
    delivered: decodeRegister(delivered),
  } satisfies Membership;
}

function encodeRegister({ position, at }: Register): string {
  return at === null ? position : `${position}@${at.toString(36)}`;
}

function decodeRegister(text: string): Register {
  const [position = '', at] = text.split('@');
  return { position: storedPosition(position), at: at === undefined ? null : Number.parseInt(at, 36) };
}

function decodeOwn(text: string): OwnRegister {
  const [revision, register] = text.includes('~') ? text.split('~') : ['0', text];
  return { revision: Number(revision), ...decodeRegister(register ?? '') };
}
