import { shortened } from './shortened.ts';

/** Bytes in JSON: a line of the log has a few KiB at most. */
const MAX_NAME_BYTES = 64;
const MAX_MESSAGE_BYTES = 1_024;
const MAX_FRAME_BYTES = 200;
const MAX_FRAMES = 10;
const MAX_CAUSE_BYTES = 512;
const MAX_CAUSES = 4;

/** The base64 of `{"`, with which each part of a token that is JSON begins. */
const TOKEN = /eyJ[\w-]{6,}[\w.-]*/g;
const BEARER = /Bearer\s+\S+/gi;

export interface LoggedError {
  readonly name: string;
  readonly message: string;
  readonly frames: readonly string[];
  /** From the nearest on. */
  readonly causes: readonly string[];
}

/**
 * What the log says of whatever was thrown. It is bounded, however long messages, stacks and chains of causes are, and
 * it leaves out all that errors carry beside these, such as requests with their headers.
 */
export function loggedError(thrown: unknown): LoggedError {
  const causes: string[] = [];
  let cause = causeOf(thrown);
  while (cause !== undefined && causes.length < MAX_CAUSES) {
    causes.push(safe(`${nameOf(cause)}: ${messageOf(cause)}`, MAX_CAUSE_BYTES));
    cause = causeOf(cause);
  }
  return {
    name: safe(nameOf(thrown), MAX_NAME_BYTES),
    message: safe(messageOf(thrown), MAX_MESSAGE_BYTES),
    frames: framesOf(thrown),
    causes,
  };
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? read(() => thrown.name) : typeof thrown;
}

function messageOf(thrown: unknown): string {
  // A parser quotes what it could not read, which may be a body or a secret.
  if (thrown instanceof SyntaxError) return 'something could not be parsed';
  if (thrown instanceof Error) return read(() => thrown.message);
  return typeof thrown === 'string' ? thrown : '';
}

function framesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  const stack = read(() => thrown.stack);
  // The message stands above the frames, in as many lines as it has.
  const header = `${nameOf(thrown)}: ${read(() => thrown.message)}`;
  return stack
    .slice(stack.startsWith(header) ? header.length : 0)
    .slice(0, MAX_FRAMES * MAX_FRAME_BYTES * 2)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, MAX_FRAMES)
    .map((line) => safe(line, MAX_FRAME_BYTES));
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? tried(() => thrown.cause) : undefined;
}

function read(get: () => unknown): string {
  const value = tried(get);
  return typeof value === 'string' ? value : '';
}

/** A property of an error may be a getter that throws. */
function tried(get: () => unknown): unknown {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** Shortened first, so that the cost is bounded as well: a token that was cut still begins as one. */
function safe(text: string, maxBytes: number): string {
  return shortened(text, maxBytes).replace(BEARER, 'Bearer [left out]').replace(TOKEN, '[left out]');
}
