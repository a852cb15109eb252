import type { PolicyDocument } from './policy-document.ts';

/** One action on one resource, from a statement of a policy; both may have wildcards. */
export interface Grant {
  readonly action: string;
  readonly resource: string;
  /** Whether a call has needed it. */
  readonly isUsed: boolean;
}

interface Rule {
  readonly action: string;
  readonly resource: string;
  readonly matches: (action: string, resource: string) => boolean;
  isUsed: boolean;
}

/** The most decisions to cache: a caller can request any number of resources that do not exist. */
const MAX_DECISIONS = 1_000;

/**
 * A caller and its permissions. Policies are those of
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html without conditions and
 * without Deny: what no statement allows is denied.
 */
export class Principal {
  /** Its ARN in AWS's error messages. */
  readonly arn: string;
  readonly #rules: readonly Rule[];
  /** Cached decisions: a function needs the same few permissions all the time. */
  readonly #decisions = new Map<string, boolean>();

  constructor(arn: string, policies: readonly PolicyDocument[]) {
    this.arn = arn;
    this.#rules = policies
      .flatMap(({ Statement }) => Statement)
      .flatMap(({ Action, Resource }) =>
        Action.flatMap((action) => Resource.map((resource) => ruleOf(action, resource))),
      );
  }

  /** The permissions in its policies, each with whether a call has needed it. */
  get grants(): readonly Grant[] {
    return this.#rules.map(({ action, resource, isUsed }) => ({ action, resource, isUsed }));
  }

  allows(action: string, resource: string): boolean {
    const question = `${action} ${resource}`;
    const known = this.#decisions.get(question);
    if (known !== undefined) return known;
    const matching = this.#rules.filter((rule) => rule.matches(action, resource));
    for (const rule of matching) rule.isUsed = true;
    const isAllowed = matching.length > 0;
    if (this.#decisions.size < MAX_DECISIONS) this.#decisions.set(question, isAllowed);
    return isAllowed;
  }
}

function ruleOf(action: string, resource: string): Rule {
  // The case of actions is ignored, but not that of resources.
  const ofAction = wildcards(action, 'i');
  const ofResource = wildcards(resource, '');
  return {
    ...{ action, resource, isUsed: false },
    matches: (askedAction, askedResource) => ofAction.test(askedAction) && ofResource.test(askedResource),
  };
}

/** `*` matches any characters. */
function wildcards(pattern: string, flags: string): RegExp {
  const literal = pattern.replace(/[\\^$.+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*')}$`, `s${flags}`);
}
