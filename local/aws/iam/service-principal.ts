import type { ResourcePolicyDocument } from './policy-document.ts';
import { Principal } from './principal.ts';

type Statement = ResourcePolicyDocument['Statement'][number];

/**
 * A service of AWS such as `events.amazonaws.com` that acts for the resource `sourceArn`, with what the policies of
 * another resource let it do there.
 */
export function servicePrincipal(
  service: string,
  sourceArn: string,
  policies: readonly ResourcePolicyDocument[],
): Principal {
  const Statement = policies
    .flatMap((policy) => policy.Statement)
    .filter((statement) => isAbout(statement, service) && holds(statement, sourceArn));
  return new Principal(service, [{ Version: '2012-10-17', Statement }]);
}

function isAbout({ Principal: named }: Statement, service: string): boolean {
  return 'AWS' in named || named.Service === service;
}

function holds({ Condition }: Statement, sourceArn: string): boolean {
  if (!Condition) return true;
  // Services of AWS call each other over TLS alone.
  return 'ArnEquals' in Condition && Condition.ArnEquals['aws:SourceArn'] === sourceArn;
}
