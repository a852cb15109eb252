import { shortened } from './shortened.ts';

/** In bytes of JSON: a log line has a few KiB at most. */
const MAX_NAME_BYTES = 64;
const MAX_MESSAGE_BYTES = 1_024;
const MAX_FRAME_BYTES = 200;
const MAX_FRAMES = 10;
const MAX_CAUSE_BYTES = 512;
const MAX_CAUSES = 4;

/** `eyJ` is the base64 of `{"`: every JSON part of a token begins with it. */
const TOKEN = /eyJ[\w-]{6,}[\w.-]*/g;
const BEARER = /Bearer\s+\S+/gi;

export interface LoggedError {
  readonly name: string;
  readonly message: string;
  readonly frames: readonly string[];
  /** The nearest cause first. */
  readonly causes: readonly string[];
}

/**
 * The loggable form of any thrown value. It is bounded, however long the message, the stack and the chain of causes
 * are. It leaves out every other property of an error, such as the request with its headers.
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
  // A parser quotes the text that it cannot read, which may be a body or a secret.
  if (thrown instanceof SyntaxError) return 'something could not be parsed';
  if (thrown instanceof Error) return read(() => thrown.message);
  return typeof thrown === 'string' ? thrown : '';
}

function framesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  const stack = read(() => thrown.stack);
  // The stack begins with the message, which may have several lines.
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

/** Returns undefined if `get` throws: a property of an error may be a getter that throws. */
function tried(get: () => unknown): unknown {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/**
 * Shortens first, so that the cost is bounded too. The start of a token is enough to find it, even if its end was
 * cut.
 */
function safe(text: string, maxBytes: number): string {
  return shortened(text, maxBytes).replace(BEARER, 'Bearer [left out]').replace(TOKEN, '[left out]');
}
