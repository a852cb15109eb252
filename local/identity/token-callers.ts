import { httpApiOf } from '../aws/cloudformation/properties.ts';
import { type Template, TemplateError } from '../aws/cloudformation/template.ts';
import { parseRouteKey } from '../aws/gateway/routes.ts';
import { UsageError } from '../command/usage-error.ts';
import type { Issuer } from './issuer.ts';

/** What the deployment asks of those who call. */
export interface Callers {
  readonly audience: string;
  /** Null where a user's token needs none. */
  readonly userScope: string | null;
  /** Null where back ends sign their calls. */
  readonly serviceScope: string | null;
}

/** Read from the template, so that the local issuer's tokens fit whatever the deployment chose. */
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
  // Routes about a user are for back ends. Each of them has a twin for the user.
  const [serviceScope = null] = scopesWhere(([, section]) => section === 'users');
  const [userScope = null] = scopesWhere(([, section]) => section === 'inbox');
  return { audience, userScope, serviceScope };
}

/** Issues the token of a user or of a back end. Throws a UsageError where back ends show none. */
export function issueFor(
  issuer: Issuer,
  { audience, userScope, serviceScope }: Callers,
  subject: string,
  kind: 'user' | 'service',
): Promise<string> {
  if (kind === 'user') return issuer.issue(subject, userScope, audience);
  if (serviceScope === null) {
    throw new UsageError(
      'There is no token of a back end: with serviceAuth=iam it signs its calls, for execute-api in us-east-1, with the credentials in dev.json.',
    );
  }
  return issuer.issue(subject, serviceScope, audience);
}
