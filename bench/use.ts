import type { Usage } from '../local/aws/lambda/function-pool.ts';
import type { EngineUnits } from './metered-engines.ts';

/** The use of everything that is billed. */
export interface Use {
  readonly engines: EngineUnits;
  readonly functions: ReadonlyMap<string, Usage>;
  readonly events: number;
  /** Calls of the HTTP API. */
  readonly calls: number;
  /** Those of them that a busy machine refused. With any, the other figures are too large. */
  readonly refused: number;
  /** Messages over WebSockets, in each direction. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Connections that were opened or closed. */
  readonly handshakes: number;
  readonly connectionMinutes: number;
  /** Messages that functions put on queues. */
  readonly queued: number;
}

/** The sum of uses, each times its factor. */
export function sumOfUses(uses: readonly (readonly [Use, number])[]): Use {
  const sum = (of: (use: Use) => number) =>
    uses.reduce((total, [use, factor]) => total + of(use) * factor, 0);
  const names = new Set(uses.flatMap(([{ functions }]) => [...functions.keys()]));
  const usageOf = (name: string): Usage => ({
    invocations: sum(({ functions }) => functions.get(name)?.invocations ?? 0),
    cpuMs: sum(({ functions }) => functions.get(name)?.cpuMs ?? 0),
    logBytes: sum(({ functions }) => functions.get(name)?.logBytes ?? 0),
  });
  return {
    engines: {
      writeUnits: sum(({ engines }) => engines.writeUnits),
      readUnits: sum(({ engines }) => engines.readUnits),
      commands: sum(({ engines }) => engines.commands),
      commandsWithInner: sum(({ engines }) => engines.commandsWithInner),
    },
    functions: new Map([...names].map((name) => [name, usageOf(name)])),
    events: sum(({ events }) => events),
    calls: sum(({ calls }) => calls),
    refused: sum(({ refused }) => refused),
    messagesIn: sum(({ messagesIn }) => messagesIn),
    messagesOut: sum(({ messagesOut }) => messagesOut),
    handshakes: sum(({ handshakes }) => handshakes),
    connectionMinutes: sum(({ connectionMinutes }) => connectionMinutes),
    queued: sum(({ queued }) => queued),
  };
}
