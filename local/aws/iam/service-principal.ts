import type { ResourcePolicyDocument } from './policy-document.ts';
import { Principal } from './principal.ts';

/**
 * The principal of an AWS service, such as `events.amazonaws.com`, that acts for the resource `sourceArn`. Its permissions
 * are those that the policies of another resource give it.
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
