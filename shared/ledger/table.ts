import { isDeepStrictEqual } from 'node:util';
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { unavailable } from '../domain/errors.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { Item } from './items.ts';
import type { Key } from './keys.ts';

/** The most items that DynamoDB returns in one call. */
const MAX_BATCH = 100;
const CONCURRENT_BATCHES = 10;

/** A conditional update of one item: attributes to set, attributes to remove, and clauses that must all hold. */
export interface Update {
  readonly key: Key;
  readonly set: Item;
  /** Attributes to set only if they are absent. */
  readonly setIfAbsent?: Item;
  /** Values that the ledger computes from the item before the update. */
  readonly computed?: readonly Assignment[];
  readonly remove?: readonly string[];
  /** A number that grows by 1. It counts as 0 if it is absent. */
  readonly increment?: string;
  readonly conditions: readonly Clause[];
}

/** A named condition. `names` has the attributes of its `#name` placeholders, `values` those of its `:name` ones. */
export interface Clause {
  readonly expression: string;
  readonly names: readonly string[];
  readonly values?: Item;
}

/** A named assignment, with names and values as a clause has them. */
export type Assignment = Clause;

/** Adds 1 to a number; an absent one becomes 1. */
export const increment = (name: string): Assignment => ({
  expression: `#${name} = if_not_exists(#${name}, :${name}Zero) + :${name}One`,
  names: [name],
  values: { [`:${name}Zero`]: { N: '0' }, [`:${name}One`]: { N: '1' } },
});

/** Sets an attribute to the value of another one, which must exist. */
export const copy = (name: string, from: string): Assignment => ({
  expression: `#${name} = #${from}`,
  names: [name, from],
});

/** Sets an attribute that is absent to the value of another one, or to `start` if that is absent too. */
export const copyIfAbsent = (name: string, from: string, start: Item[string]): Assignment => ({
  expression: `#${name} = if_not_exists(#${name}, if_not_exists(#${from}, :${name}Start))`,
  names: [name, from],
  values: { [`:${name}Start`]: start },
});

export const isAbsent: Clause = { expression: 'attribute_not_exists(#PK)', names: ['PK'] };

export const exists = (name: string): Clause => ({ expression: `attribute_exists(#${name})`, names: [name] });

export const lacks = (name: string): Clause => ({
  expression: `attribute_not_exists(#${name})`,
  names: [name],
});

export const isBelow = (name: string, value: Item[string]): Clause => compare(name, '<', value);

export const isAtMost = (name: string, value: Item[string]): Clause => compare(name, '<=', value);

/** Also if the attribute is missing, or of another type than the value: a comparison with it is false. */
export const isNotAbove = (name: string, value: Item[string]): Clause => {
  const { expression, ...rest } = compare(name, '>', value);
  return { expression: `NOT ${expression}`, ...rest };
};

export const equals = (name: string, value: Item[string]): Clause => compare(name, '=', value);

export const differs = (name: string, value: Item[string]): Clause => compare(name, '<>', value);

export const beginsWith = (name: string, prefix: string): Clause => ({
  expression: `begins_with(#${name}, :${name}Prefix)`,
  names: [name],
  values: { [`:${name}Prefix`]: { S: prefix } },
});

/** Clauses may not be nested: DynamoDB refuses redundant parentheses. */
export const anyOf = (...clauses: readonly Clause[]): Clause => ({
  expression: `(${clauses.map(({ expression }) => expression).join(' OR ')})`,
  names: clauses.flatMap(({ names }) => names),
  values: Object.assign({}, ...clauses.map(({ values }) => values)),
});

/**
 * The new item if the update was applied; if a condition failed, the current item (null if there is none). An update
 * whose answer was lost is sent again and then fails its own condition: that counts as applied.
 */
export type Updated =
  | { readonly applied: true; readonly item: Item }
  | { readonly applied: false; readonly item: Item | null };

/** The ledger's table: reads and conditional writes of single items, each one network call, and reads of many items. */
export class Table {
  readonly client: DynamoDBClient;
  readonly name: string;
  readonly #backoff: BackoffOptions;

  constructor(client: DynamoDBClient, name: string, backoff: BackoffOptions = {}) {
    this.client = client;
    this.name = name;
    this.#backoff = backoff;
  }

  /** Strongly consistent, since the result decides the next write or answer. */
  async get(key: Key): Promise<Item | null> {
    const command = new GetItemCommand({ TableName: this.name, Key: key, ConsistentRead: true });
    const { Item } = await this.call(() => this.client.send(command));
    return Item ?? null;
  }

  /** Returns the existing items among these keys, in no order, strongly consistent. One call for each hundred keys. */
  async getMany(keys: readonly Key[]): Promise<Item[]> {
    const batches = Array.from({ length: Math.ceil(keys.length / MAX_BATCH) }, (_, index) =>
      keys.slice(index * MAX_BATCH, (index + 1) * MAX_BATCH),
    );
    const backoff = new Backoff(this.#backoff);
    return (await inParallel(batches, CONCURRENT_BATCHES, (batch) => this.#getBatch(batch, backoff))).flat();
  }

  /** DynamoDB reports a partly throttled batch as a success, so the SDK does not retry the rest. This does. */
  async #getBatch(keys: readonly Key[], backoff: Backoff): Promise<Item[]> {
    const found: Item[] = [];
    let rest: Item[] = [...keys];
    for (let tries = 1; ; tries += 1) {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.name]: { Keys: rest, ConsistentRead: true } },
      });
      const reply = await this.call(() => this.client.send(command));
      found.push(...(reply.Responses?.[this.name] ?? []));
      rest = reply.UnprocessedKeys?.[this.name]?.Keys ?? [];
      if (rest.length === 0) return found;
      if (!(await backoff.pauseAfter(tries)))
        throw unavailable(new Error('a batch of items stayed unprocessed'));
    }
  }

  async update(update: Update): Promise<Updated> {
    const command = new UpdateItemCommand({
      TableName: this.name,
      Key: update.key,
      ...expressionsOf(update),
      ReturnValues: 'ALL_NEW',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    try {
      const { Attributes } = await this.client.send(command);
      return { applied: true, item: Attributes ?? {} };
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw unavailable(error);
      const { Item: item, $metadata } = error;
      const wasSentAgain = ($metadata.attempts ?? 1) > 1;
      if (item && wasSentAgain && isResultOf(update, item)) return { applied: true, item };
      return { applied: false, item: item ?? null };
    }
  }

  /** Throws `unavailable` for every failure of the ledger: the caller can only retry later. */
  async call<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/**
 * Whether an item has the values that the update sets. If two writers set the same values at the same time, both count
 * the result as their own.
 */
function isResultOf({ set, remove = [] }: Update, item: Item): boolean {
  return (
    Object.entries(set).every(([name, value]) => isDeepStrictEqual(ordered(item[name]), ordered(value))) &&
    remove.every((name) => !(name in item))
  );
}

/** DynamoDB returns the texts of a set in any order. */
function ordered(value: Item[string] | undefined): Item[string] | undefined {
  return value?.SS ? { SS: value.SS.toSorted() } : value;
}

function compare(name: string, operator: string, value: Item[string]): Clause {
  const placeholder = `:${name}Bound`;
  return {
    expression: `#${name} ${operator} ${placeholder}`,
    names: [name],
    values: { [placeholder]: value },
  };
}

function expressionsOf({ set, setIfAbsent = {}, computed = [], remove = [], increment, conditions }: Update) {
  const sets = [
    ...Object.keys(set).map((name) => `#${name} = :${name}`),
    ...Object.keys(setIfAbsent).map((name) => `#${name} = if_not_exists(#${name}, :${name})`),
    ...computed.map(({ expression }) => expression),
  ];
  const removals = remove.map((name) => `#${name}`);
  const names = [
    ...Object.keys(set),
    ...Object.keys(setIfAbsent),
    ...remove,
    ...(increment ? [increment] : []),
    ...[...computed, ...conditions].flatMap((clause) => clause.names),
  ];
  const values = Object.entries({
    ...set,
    ...setIfAbsent,
    ...(increment && { [increment]: { N: '1' } }),
  }).map(([name, value]) => [`:${name}`, value]);
  return {
    UpdateExpression: [
      `SET ${sets.join(', ')}`,
      ...(removals.length ? [`REMOVE ${removals.join(', ')}`] : []),
      ...(increment ? [`ADD #${increment} :${increment}`] : []),
    ].join(' '),
    ...(conditions.length && {
      ConditionExpression: conditions.map(({ expression }) => expression).join(' AND '),
    }),
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.assign(
      Object.fromEntries(values),
      ...[...computed, ...conditions].map((clause) => clause.values ?? {}),
    ) as Item,
  };
}
