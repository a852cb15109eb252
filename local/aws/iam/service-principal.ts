import type { ResourcePolicyDocument } from './policy-document.ts';
import { Principal } from './principal.ts';

/**
 * A service of AWS such as `events.amazonaws.com` that acts for the resource `sourceArn`, with what the policies of
 * another resource let it do there.
 */
export function servicePrincipal(
  service: string,
  sourceArn: string,
  policies: readonly ResourcePolicyDocument[],
): Principal {
  const Statement = policies.flatMap((policy) =>
    policy.Statement.flatMap((statement) => {
      if (statement.Effect === 'Deny') return [];
      const { Effect, Action, Resource, Principal: admitted, Condition } = statement;
      const isMet = admitted.Service === service && Condition.ArnEquals['aws:SourceArn'] === sourceArn;
      return isMet ? [{ Effect, Action, Resource }] : [];
    }),
  );
  return new Principal(service, [{ Version: '2012-10-17', Statement }]);
}
