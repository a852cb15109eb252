/*
 * What the model expects of an answer, where it does not know the value. See the words of the model in model.ts.
 */

/** The time at which a register moved. The first answer with it determines it, and every later one must agree. */
export class Moment {
  readonly operation: number;
  readonly what: string;
  /** The possible times: `within` the operation, `since` its start, or any (`none`). */
  readonly bounds: 'within' | 'since' | 'none';

  constructor(operation: number, what: string, bounds: 'within' | 'since' | 'none' = 'within') {
    this.operation = operation;
    this.what = what;
    this.bounds = bounds;
  }
}

/** The revision of a user who joined again: the contract has only a lower bound for it. */
export class Revision {
  /** The name of the first revision among what is learned. */
  readonly key: string;
  readonly above: number;
  readonly isNone: readonly number[];
  /** How often it was raised since the first. */
  readonly raises: number;

  constructor(key: string, { above, isNone }: UnknownRevision, raises: number) {
    this.key = key;
    this.above = above;
    this.isNone = isNone;
    this.raises = raises;
  }
}

/** Several answers, if the contract does not say which. */
export class OneOf {
  readonly alternatives: readonly [Expected, ...Expected[]];

  constructor(...alternatives: readonly [Expected, ...Expected[]]) {
    this.alternatives = alternatives;
  }
}

/** A field that an answer may leave out. */
export class Optional {
  readonly expected: Expected;

  constructor(expected: Expected) {
    this.expected = expected;
  }
}

/** Stands for any text. */
export const SOME_TEXT = Symbol('some text');
/** Stands for the list of faults of a request. */
export const SOME_ERRORS = Symbol('some errors');
/** Stands for a boolean that the contract leaves open. */
export const SOME_BOOLEAN = Symbol('true or false');
/** Stands for anything: the contract does not say what. */
export const ANYTHING = Symbol('anything');

export type Expected =
  | null
  | boolean
  | number
  | string
  | Moment
  | Revision
  | Optional
  | OneOf
  | typeof SOME_TEXT
  | typeof SOME_ERRORS
  | typeof SOME_BOOLEAN
  | typeof ANYTHING
  | readonly Expected[]
  | { readonly [name: string]: Expected };

/** What answers have shown so far: the times of moments, and the revisions that memberships began with. */
export type Learned = Readonly<Record<string, string | number>>;

/** The revision that a membership began with, until an answer has it. */
export interface UnknownRevision {
  /** It is larger than this. */
  readonly above: number;
  /** It is none of these: marks with one of them were in conflict. */
  readonly isNone: readonly number[];
}
