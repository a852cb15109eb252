import { createHash } from 'node:crypto';

export type RedisCommand = readonly (string | Buffer)[];

export interface PlainCommand {
  readonly command: RedisCommand;
  /** What the caller must see instead of a successful reply, when the two differ. */
  readonly replyInstead?: string;
}

const FLAG_LINE = /^#!lua flags=[^\n]*\ballow-key-locking\b[^\n]*/;

/**
 * Upstash locks the whole database for a script unless its first line carries a flag that Redis refuses. This takes
 * that line off, so that Redis runs the script, and keeps the SHA of the script as its author wrote it in use.
 *
 * Nothing is resent behind the caller's back: when Redis has lost its scripts, EVALSHA answers NOSCRIPT as always.
 */
export function createLockFlagRemover(): (command: RedisCommand) => PlainCommand {
  const plainShas = new Map<string, string>();

  function withoutFlag(script: string): string {
    // The line stays, empty, so that the line numbers in Redis's error messages are right.
    const plain = script.replace(FLAG_LINE, '');
    if (plain !== script) plainShas.set(sha1(script), sha1(plain));
    return plain;
  }

  const plainSha = (sha: string | Buffer) => plainShas.get(String(sha).toLowerCase()) ?? sha;

  return (command) => {
    const [name, first, ...rest] = command;
    if (name === undefined || first === undefined) return { command };
    switch (String(name).toUpperCase()) {
      case 'EVAL':
      case 'EVAL_RO':
        return { command: [name, withoutFlag(String(first)), ...rest] };
      case 'EVALSHA':
      case 'EVALSHA_RO':
        return { command: [name, plainSha(first), ...rest] };
      case 'SCRIPT':
        return scriptCommand(name, first, rest);
      default:
        return { command };
    }
  };

  function scriptCommand(
    name: string | Buffer,
    subcommand: string | Buffer,
    rest: RedisCommand,
  ): PlainCommand {
    switch (String(subcommand).toUpperCase()) {
      case 'EXISTS':
        return { command: [name, subcommand, ...rest.map(plainSha)] };
      case 'LOAD': {
        const [text, ...more] = rest;
        if (text === undefined) return { command: [name, subcommand] };
        const script = String(text);
        return { command: [name, subcommand, withoutFlag(script), ...more], replyInstead: sha1(script) };
      }
      default:
        return { command: [name, subcommand, ...rest] };
    }
  }
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
