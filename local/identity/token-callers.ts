import { httpApiOf } from '../aws/cloudformation/properties.ts';
import { type Template, TemplateError } from '../aws/cloudformation/template.ts';
import { parseRouteKey } from '../aws/gateway/routes.ts';
import { UsageError } from '../command/usage-error.ts';
import type { Issuer } from './issuer.ts';

/** What the deployment requires of tokens. */
export interface Callers {
  readonly audience: string;
  /** Null if a user's token needs no scope. */
  readonly userScope: string | null;
  /** Null if back ends sign their calls. */
  readonly serviceScope: string | null;
}

/** Reads the requirements from the template, so that the local issuer's tokens match the settings of the deployment. */
export function callersOf(template: Template): Callers {
  const api = httpApiOf(template);
  const [authorizer] = api.partsOf('AWS::ApiGatewayV2::Authorizer');
  if (!authorizer) throw new TemplateError('the HTTP API has no authorizer');
  const [audience = ''] = authorizer.properties.JwtConfiguration.Audience;
  const routes = api
    .partsOf('AWS::ApiGatewayV2::Route')
    .filter(({ properties }) => properties.AuthorizationType !== 'NONE');
  const scopesWhere = (isWanted: (segments: readonly string[]) => boolean) =>
    routes
      .filter(({ properties }) => isWanted(parseRouteKey(properties.RouteKey).segments))
      .flatMap(({ properties }) => properties.AuthorizationScopes);
  // Routes below /v1/users are for back ends. The inbox is a route of users.
  const [serviceScope = null] = scopesWhere(([, section]) => section === 'users');
  const [userScope = null] = scopesWhere(([, section]) => section === 'inbox');
  return { audience, userScope, serviceScope };
}

/** Issues a token for a user or a back end. Throws a UsageError if back ends sign their calls instead. */
export function issueFor(
  issuer: Issuer,
  { audience, userScope, serviceScope }: Callers,
  subject: string,
  kind: 'user' | 'service',
): Promise<string> {
  if (kind === 'user') return issuer.issue(subject, userScope, audience);
  if (serviceScope === null) {
    throw new UsageError(
      'Back ends have no tokens with serviceAuth=iam: they sign their calls for execute-api in us-east-1 with the credentials in dev.json.',
    );
  }
  return issuer.issue(subject, serviceScope, audience);
}
