import { createHash } from 'node:crypto';

export type RedisCommand = readonly (string | Buffer)[];

export interface PlainCommand {
  readonly command: RedisCommand;
  /** What the caller must get instead of a successful reply, if they differ. */
  readonly replyInstead?: string;
}

const FLAG_LINE = /^#!lua flags=[^\n]*\ballow-key-locking\b[^\n]*/;

/**
 * Upstash locks the whole database for a script unless the script's first line has a flag that Redis refuses. The returned
 * function removes that line, so that Redis runs the script. Callers keep using the SHA of the original script.
 *
 * It never sends a script by itself: if Redis has lost its scripts, EVALSHA still answers NOSCRIPT.
 */
export function createLockFlagRemover(): (command: RedisCommand) => PlainCommand {
  const plainShas = new Map<string, string>();

  function withoutFlag(script: string): string {
    // The line is emptied, not removed, so that the line numbers in Redis's error messages are right.
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
