import type { PolicyDocument } from './policy-document.ts';

/** One action on one resource, as a statement of a policy names them; both may have wildcards. */
export interface Grant {
  readonly action: string;
  readonly resource: string;
  /** Whether a call needed it so far. */
  readonly isUsed: boolean;
}

interface Rule {
  readonly allows: boolean;
  readonly action: string;
  readonly resource: string;
  readonly matches: (action: string, resource: string) => boolean;
  isUsed: boolean;
}

type Decision = 'allowed' | 'denied' | 'explicitly denied';

/**
 * Who acts, and what its policies allow. Policies are those of
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html without conditions: one
 * Deny outweighs every Allow, and what no statement allows is denied.
 */
export class Principal {
  /** As AWS names it in its refusals. */
  readonly arn: string;
  readonly #rules: readonly Rule[];
  /** A function asks for the same few things all the time. */
  readonly #decisions = new Map<string, Decision>();

  constructor(arn: string, policies: readonly PolicyDocument[]) {
    this.arn = arn;
    this.#rules = policies
      .flatMap(({ Statement }) => Statement)
      .flatMap(({ Effect, Action, Resource }) =>
        Action.flatMap((action) => Resource.map((resource) => ruleOf(Effect === 'Allow', action, resource))),
      );
  }

  /** What its policies allow, each with whether it was needed so far. */
  get grants(): readonly Grant[] {
    return this.#rules
      .filter(({ allows }) => allows)
      .map(({ action, resource, isUsed }) => ({ action, resource, isUsed }));
  }

  decide(action: string, resource: string): Decision {
    const asked = `${action} ${resource}`;
    const known = this.#decisions.get(asked);
    if (known) return known;
    const matching = this.#rules.filter((rule) => rule.matches(action, resource));
    const decision = decisionOf(matching);
    if (decision === 'allowed') for (const rule of matching) rule.isUsed = true;
    if (this.#decisions.size < MAX_DECISIONS) this.#decisions.set(asked, decision);
    return decision;
  }
}

/** A caller can ask for resources without end that do not exist. */
const MAX_DECISIONS = 1_000;

function decisionOf(matching: readonly Rule[]): Decision {
  if (matching.length === 0) return 'denied';
  return matching.every(({ allows }) => allows) ? 'allowed' : 'explicitly denied';
}

function ruleOf(allows: boolean, action: string, resource: string): Rule {
  // Actions are compared without regard to case, resources with.
  const ofAction = wildcards(action, 'i');
  const ofResource = wildcards(resource, '');
  return {
    ...{ allows, action, resource, isUsed: false },
    matches: (askedAction, askedResource) => ofAction.test(askedAction) && ofResource.test(askedResource),
  };
}

/** `*` stands for any characters and `?` for one. */
function wildcards(pattern: string, flags: string): RegExp {
  const literal = pattern.replace(/[\\^$.+()[\]{}|]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, `s${flags}`);
}
