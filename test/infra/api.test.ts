import { describe, expect, test } from '@jest/globals';
import { expectedFunctions } from '../support/expected-functions.ts';
import { context, contextWithCors, ofType, synthesize } from './synthesized.ts';

const template = synthesize();
const routes = routesOfApi(template);
const integrations = ofType(template, 'AWS::ApiGatewayV2::Integration');

/** The routes of the HTTP API. Those of the WebSocket API are in live.test.ts. */
function routesOfApi(of: ReturnType<typeof synthesize>) {
  const all = Object.values(ofType(of, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties);
  return all.filter(({ ApiId }) => ApiId === 'ApiHttp');
}

/** The function that a route's target invokes. */
function functionBehind(target: unknown): unknown {
  const integration = integrations[String(target).replace('integrations/', '')]?.Properties;
  expect(integration).toMatchObject({ IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' });
  return integration?.IntegrationUri;
}

describe('the API', () => {
  test('has exactly the routes of the table, each with its function and the scope that a token needs', () => {
    const seen = routes.map(({ RouteKey, AuthorizationType, AuthorizationScopes, AuthorizerId, Target }) => [
      RouteKey,
      AuthorizationType,
      AuthorizationScopes,
      AuthorizerId,
      functionBehind(Target),
    ]);
    const access = {
      user: ['JWT', ['tidemark/user'], 'ApiHttpJwt'],
      service: ['JWT', ['tidemark/service'], 'ApiHttpJwt'],
      anyone: ['NONE', undefined, undefined],
    };
    expect(seen).toEqual(
      expectedFunctions.flatMap(({ id, routes }) =>
        routes.map(([who, route]) => [route, ...access[who], `${id}.Arn`]),
      ),
    );
  });

  test('accepts tokens of the issuer for the audience, from the header', () => {
    expect(ofType(template, 'AWS::ApiGatewayV2::Authorizer')).toMatchObject({
      ApiHttpJwt: {
        Properties: {
          AuthorizerType: 'JWT',
          IdentitySource: ['$request.header.Authorization'],
          JwtConfiguration: { Issuer: 'https://login.example.com/', Audience: ['tidemark'] },
        },
      },
    });
  });

  test('may invoke a function only for that function’s own paths', () => {
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission'))
      .filter(({ Properties }) => String(Properties.SourceArn).includes(':ApiHttp/'))
      .map(({ Properties }) => [Properties.FunctionName, Properties.SourceArn]);
    const api = 'arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:ApiHttp/*/*';
    const pathOf = (route: string) => route.slice(route.indexOf('/'));
    expect(permissions).toEqual(
      expectedFunctions.flatMap(({ id, routes }) =>
        routes.map(([, route]) => [`${id}.Arn`, `${api}${pathOf(route)}`]),
      ),
    );
  });

  test('is throttled, and writes an access log without tokens or bodies', () => {
    const format =
      '{"requestId":"$context.requestId","time":"$context.requestTime","route":"$context.routeKey",' +
      '"path":"$context.path","status":"$context.status","subject":"$context.authorizer.claims.sub",' +
      '"sourceIp":"$context.identity.sourceIp","latencyMs":"$context.responseLatency",' +
      '"integrationLatencyMs":"$context.integrationLatency",' +
      '"integrationError":"$context.integrationErrorMessage","authorizerError":"$context.authorizer.error"}';
    expect(ofType(template, 'AWS::ApiGatewayV2::Stage')).toMatchObject({
      ApiStage: {
        Properties: {
          StageName: '$default',
          AutoDeploy: true,
          DefaultRouteSettings: { ThrottlingRateLimit: 2000, ThrottlingBurstLimit: 1000 },
          AccessLogSettings: { DestinationArn: 'ApiAccessLog.Arn', Format: format },
        },
      },
    });
  });

  test('may be called by web pages of the origins in the settings', () => {
    expect(ofType(synthesize(contextWithCors), 'AWS::ApiGatewayV2::Api').ApiHttp?.Properties).toEqual({
      Name: 'tidemark-test',
      Description: 'Read state for group chat',
      ProtocolType: 'HTTP',
      CorsConfiguration: {
        AllowOrigins: ['https://chat.example.com', 'http://localhost:5173'],
        AllowMethods: ['DELETE', 'GET', 'PATCH', 'POST', 'PUT'],
        AllowHeaders: ['authorization', 'content-type'],
        ExposeHeaders: ['retry-after'],
        MaxAge: 86400,
      },
    });
  });

  test('may be called by no web page if the settings have no origins', () => {
    expect(ofType(template, 'AWS::ApiGatewayV2::Api').ApiHttp?.Properties).toEqual({
      Name: 'tidemark-test',
      Description: 'Read state for group chat',
      ProtocolType: 'HTTP',
    });
  });
});

describe('the authorization of routes', () => {
  type Synthesized = ReturnType<typeof synthesize>;

  function routesOf(synthesized: Synthesized) {
    const byKey = routesOfApi(synthesized).map((route) => {
      const { RouteKey, AuthorizationType, AuthorizationScopes, AuthorizerId } = route;
      return [RouteKey, [AuthorizationType, AuthorizationScopes, AuthorizerId]];
    });
    return Object.fromEntries(byKey) as Record<string, unknown[]>;
  }
  /** The scopes in a function's environment. */
  function scopesOf(synthesized: Synthesized, functionId: string) {
    const { Environment } = synthesized.Resources[functionId]?.Properties ?? {};
    const { USER_SCOPE, SERVICE_SCOPE } = (Environment as { Variables: Record<string, string> }).Variables;
    return { USER_SCOPE, SERVICE_SCOPE };
  }
  const USER = 'GET /v1/inbox';
  const ON_BEHALF = 'GET /v1/users/{userId}/inbox';
  const SERVICE = 'POST /v1/groups/{groupId}/messages';
  const HEALTH = 'GET /v1/health';

  test('uses the scopes of the settings', () => {
    const named = synthesize({ ...context, userScope: 'chat:read', serviceScope: 'chat:write' });
    expect(routesOf(named)).toMatchObject({
      [USER]: ['JWT', ['chat:read'], 'ApiHttpJwt'],
      [ON_BEHALF]: ['JWT', ['chat:write'], 'ApiHttpJwt'],
      [SERVICE]: ['JWT', ['chat:write'], 'ApiHttpJwt'],
      [HEALTH]: ['NONE', undefined, undefined],
    });
    expect(scopesOf(named, 'Apigetinbox')).toEqual({
      USER_SCOPE: 'chat:read',
      SERVICE_SCOPE: 'chat:write',
    });
  });

  test('accepts every valid token on the routes of users if userScope is null', () => {
    const unscoped = synthesize({ ...context, userScope: null });
    expect(routesOf(unscoped)).toMatchObject({
      [USER]: ['JWT', undefined, 'ApiHttpJwt'],
      [ON_BEHALF]: ['JWT', ['tidemark/service'], 'ApiHttpJwt'],
      [SERVICE]: ['JWT', ['tidemark/service'], 'ApiHttpJwt'],
    });
    expect(scopesOf(unscoped, 'Apigetinbox')).toEqual({ SERVICE_SCOPE: 'tidemark/service' });
  });

  test('accepts tokens of several audiences', () => {
    const template = synthesize({ ...context, jwtAudience: ['web', 'ios'] });
    expect(ofType(template, 'AWS::ApiGatewayV2::Authorizer').ApiHttpJwt?.Properties.JwtConfiguration).toEqual(
      {
        Issuer: 'https://login.example.com/',
        Audience: ['web', 'ios'],
      },
    );
  });

  describe('if back ends sign their calls', () => {
    const template = synthesize({ ...context, serviceAuth: 'iam', userScope: null });

    test('accepts signatures on the routes of back ends, and tokens on those of users', () => {
      expect(routesOf(template)).toMatchObject({
        [USER]: ['JWT', undefined, 'ApiHttpJwt'],
        [ON_BEHALF]: ['AWS_IAM', undefined, undefined],
        [SERVICE]: ['AWS_IAM', undefined, undefined],
        [HEALTH]: ['NONE', undefined, undefined],
      });
      const open = Object.values(routesOf(template)).filter(([type]) => type === 'NONE');
      expect(open).toHaveLength(1);
    });

    test('writes the name of the signer to the access log', () => {
      const [stage] = Object.values(ofType(template, 'AWS::ApiGatewayV2::Stage'));
      expect(JSON.stringify(stage?.Properties.AccessLogSettings)).toContain(
        String.raw`\"caller\":\"$context.identity.userArn\"`,
      );
    });

    test('gives the functions no scope of a back end', () => {
      expect(scopesOf(template, 'Apigetinbox')).toEqual({});
      expect(scopesOf(template, 'Apirecordmessage')).toEqual({});
    });

    test('has an output with the ARNs of exactly the routes of back ends', () => {
      const api = 'arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:ApiHttp/$default';
      expect(template.Outputs.ServiceRouteArns).toEqual({
        Description: 'The ARNs for which the role of a back end needs execute-api:Invoke',
        Value: [
          `${api}/*/v1/users/*`,
          `${api}/POST/v1/badges`,
          `${api}/PUT/v1/groups/*/members/*`,
          `${api}/POST/v1/groups/*/members`,
          `${api}/GET/v1/groups/*/members`,
          `${api}/DELETE/v1/groups/*/members/*`,
          `${api}/POST/v1/groups/*/messages`,
          `${api}/POST/v1/messages`,
          `${api}/DELETE/v1/groups/*/messages/*`,
          `${api}/GET/v1/groups/*`,
          `${api}/PUT/v1/groups/*`,
          `${api}/DELETE/v1/groups/*`,
        ].join(','),
      });
    });
  });

  test('has no output of ARNs if back ends send tokens', () => {
    expect(Object.keys(template.Outputs)).not.toContain('ServiceRouteArns');
  });
});
