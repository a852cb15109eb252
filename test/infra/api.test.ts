import { describe, expect, test } from '@jest/globals';
import { context, contextWithCors, ofType, synthesize } from './synthesized.ts';

const template = synthesize();
const routes = routesOfApi(template);
const integrations = ofType(template, 'AWS::ApiGatewayV2::Integration');

/** The routes of the HTTP API. Those of the WebSocket API are in live.test.ts. */
function routesOfApi(of: ReturnType<typeof synthesize>) {
  const all = Object.values(ofType(of, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties);
  return all.filter(({ ApiId }) => ApiId === 'ApiHttp');
}

/** The function that a route's target leads to. */
function functionBehind(target: unknown): unknown {
  const integration = integrations[String(target).replace('integrations/', '')]?.Properties;
  expect(integration).toMatchObject({ IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' });
  return integration?.IntegrationUri;
}

describe('the API', () => {
  test('leads each route to its function, with the scope that its token needs', () => {
    const seen = routes.map(({ RouteKey, AuthorizationType, AuthorizationScopes, AuthorizerId, Target }) => [
      RouteKey,
      AuthorizationType,
      AuthorizationScopes,
      AuthorizerId,
      functionBehind(Target),
    ]);
    const user = ['JWT', ['tidemark/user'], 'ApiHttpJwt'];
    const service = ['JWT', ['tidemark/service'], 'ApiHttpJwt'];
    expect(seen).toEqual([
      ['PUT /v1/groups/{groupId}/watermark', ...user, 'Apimarkread.Arn'],
      ['PUT /v1/users/{userId}/groups/{groupId}/watermark', ...service, 'Apimarkread.Arn'],
      ['POST /v1/groups/{groupId}/unread', ...user, 'Apimarkunread.Arn'],
      ['POST /v1/users/{userId}/groups/{groupId}/unread', ...service, 'Apimarkunread.Arn'],
      ['PUT /v1/groups/{groupId}/delivered', ...user, 'Apimarkdelivered.Arn'],
      ['PUT /v1/users/{userId}/groups/{groupId}/delivered', ...service, 'Apimarkdelivered.Arn'],
      ['POST /v1/watermarks', ...user, 'Apimarkgroups.Arn'],
      ['POST /v1/users/{userId}/watermarks', ...service, 'Apimarkgroups.Arn'],
      ['GET /v1/groups/{groupId}/watermark', ...user, 'Apigetwatermark.Arn'],
      ['GET /v1/users/{userId}/groups/{groupId}/watermark', ...service, 'Apigetwatermark.Arn'],
      ['POST /v1/groups/{groupId}/messages/status', ...user, 'Apigetmessagestatus.Arn'],
      ['POST /v1/users/{userId}/groups/{groupId}/messages/status', ...service, 'Apigetmessagestatus.Arn'],
      ['GET /v1/inbox', ...user, 'Apigetinbox.Arn'],
      ['GET /v1/users/{userId}/inbox', ...service, 'Apigetinbox.Arn'],
      ['GET /v1/groups/{groupId}/messages/{messageId}/receipts', ...user, 'Apilistreceipts.Arn'],
      [
        'GET /v1/users/{userId}/groups/{groupId}/messages/{messageId}/receipts',
        ...service,
        'Apilistreceipts.Arn',
      ],
      ['POST /v1/groups/{groupId}/receipts', ...user, 'Apicountreceipts.Arn'],
      ['POST /v1/users/{userId}/groups/{groupId}/receipts', ...service, 'Apicountreceipts.Arn'],
      ['PUT /v1/groups/{groupId}/members/{userId}', ...service, 'Apiaddmembers.Arn'],
      ['POST /v1/groups/{groupId}/members', ...service, 'Apiaddmembers.Arn'],
      ['GET /v1/groups/{groupId}/members', ...service, 'Apilistmembers.Arn'],
      ['DELETE /v1/groups/{groupId}/members/{userId}', ...service, 'Apiremovemember.Arn'],
      ['POST /v1/groups/{groupId}/messages', ...service, 'Apirecordmessage.Arn'],
      ['DELETE /v1/groups/{groupId}/messages/{messageId}', ...service, 'Apideletemessage.Arn'],
      ['GET /v1/health', 'NONE', undefined, undefined, 'Apicheckhealth.Arn'],
    ]);
  });

  test('takes tokens of the one issuer for the one audience, from the header', () => {
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

  test('may call a function for that function’s own paths only', () => {
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission'))
      .filter(({ Properties }) => String(Properties.SourceArn).includes(':ApiHttp/'))
      .map(({ Properties }) => [Properties.FunctionName, Properties.SourceArn]);
    const api = 'arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:ApiHttp/*/*';
    expect(permissions).toEqual([
      ['Apimarkread.Arn', `${api}/v1/groups/{groupId}/watermark`],
      ['Apimarkread.Arn', `${api}/v1/users/{userId}/groups/{groupId}/watermark`],
      ['Apimarkunread.Arn', `${api}/v1/groups/{groupId}/unread`],
      ['Apimarkunread.Arn', `${api}/v1/users/{userId}/groups/{groupId}/unread`],
      ['Apimarkdelivered.Arn', `${api}/v1/groups/{groupId}/delivered`],
      ['Apimarkdelivered.Arn', `${api}/v1/users/{userId}/groups/{groupId}/delivered`],
      ['Apimarkgroups.Arn', `${api}/v1/watermarks`],
      ['Apimarkgroups.Arn', `${api}/v1/users/{userId}/watermarks`],
      ['Apigetwatermark.Arn', `${api}/v1/groups/{groupId}/watermark`],
      ['Apigetwatermark.Arn', `${api}/v1/users/{userId}/groups/{groupId}/watermark`],
      ['Apigetmessagestatus.Arn', `${api}/v1/groups/{groupId}/messages/status`],
      ['Apigetmessagestatus.Arn', `${api}/v1/users/{userId}/groups/{groupId}/messages/status`],
      ['Apigetinbox.Arn', `${api}/v1/inbox`],
      ['Apigetinbox.Arn', `${api}/v1/users/{userId}/inbox`],
      ['Apilistreceipts.Arn', `${api}/v1/groups/{groupId}/messages/{messageId}/receipts`],
      ['Apilistreceipts.Arn', `${api}/v1/users/{userId}/groups/{groupId}/messages/{messageId}/receipts`],
      ['Apicountreceipts.Arn', `${api}/v1/groups/{groupId}/receipts`],
      ['Apicountreceipts.Arn', `${api}/v1/users/{userId}/groups/{groupId}/receipts`],
      ['Apiaddmembers.Arn', `${api}/v1/groups/{groupId}/members/{userId}`],
      ['Apiaddmembers.Arn', `${api}/v1/groups/{groupId}/members`],
      ['Apilistmembers.Arn', `${api}/v1/groups/{groupId}/members`],
      ['Apiremovemember.Arn', `${api}/v1/groups/{groupId}/members/{userId}`],
      ['Apirecordmessage.Arn', `${api}/v1/groups/{groupId}/messages`],
      ['Apideletemessage.Arn', `${api}/v1/groups/{groupId}/messages/{messageId}`],
      ['Apicheckhealth.Arn', `${api}/v1/health`],
    ]);
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

  test('may be called by pages of the origins that the deployment names', () => {
    expect(ofType(synthesize(contextWithCors), 'AWS::ApiGatewayV2::Api').ApiHttp?.Properties).toEqual({
      Name: 'tidemark-test',
      Description: 'Read state for group chat',
      ProtocolType: 'HTTP',
      CorsConfiguration: {
        AllowOrigins: ['https://chat.example.com', 'http://localhost:5173'],
        AllowMethods: ['DELETE', 'GET', 'POST', 'PUT'],
        AllowHeaders: ['authorization', 'content-type'],
        ExposeHeaders: ['retry-after'],
        MaxAge: 86400,
      },
    });
  });

  test('is for no page where the deployment names no origin', () => {
    expect(ofType(template, 'AWS::ApiGatewayV2::Api').ApiHttp?.Properties).toEqual({
      Name: 'tidemark-test',
      Description: 'Read state for group chat',
      ProtocolType: 'HTTP',
    });
  });
});

describe('who may call', () => {
  type Synthesized = ReturnType<typeof synthesize>;

  function routesOf(synthesized: Synthesized) {
    const byKey = routesOfApi(synthesized).map((route) => {
      const { RouteKey, AuthorizationType, AuthorizationScopes, AuthorizerId } = route;
      return [RouteKey, [AuthorizationType, AuthorizationScopes, AuthorizerId]];
    });
    return Object.fromEntries(byKey) as Record<string, unknown[]>;
  }
  /** The scopes that a function is told. */
  function scopesOf(synthesized: Synthesized, functionId: string) {
    const { Environment } = synthesized.Resources[functionId]?.Properties ?? {};
    const { USER_SCOPE, SERVICE_SCOPE } = (Environment as { Variables: Record<string, string> }).Variables;
    return { USER_SCOPE, SERVICE_SCOPE };
  }
  const USER = 'GET /v1/inbox';
  const TWIN = 'GET /v1/users/{userId}/inbox';
  const SERVICE = 'POST /v1/groups/{groupId}/messages';
  const HEALTH = 'GET /v1/health';

  test('is told by other scopes, where the deployment names them', () => {
    const named = synthesize({ ...context, userScope: 'chat:read', serviceScope: 'chat:write' });
    expect(routesOf(named)).toMatchObject({
      [USER]: ['JWT', ['chat:read'], 'ApiHttpJwt'],
      [TWIN]: ['JWT', ['chat:write'], 'ApiHttpJwt'],
      [SERVICE]: ['JWT', ['chat:write'], 'ApiHttpJwt'],
      [HEALTH]: ['NONE', undefined, undefined],
    });
    expect(scopesOf(named, 'Apigetinbox')).toEqual({
      USER_SCOPE: 'chat:read',
      SERVICE_SCOPE: 'chat:write',
    });
  });

  test('is every valid token on the routes of users, where these need no scope', () => {
    const unscoped = synthesize({ ...context, userScope: null });
    expect(routesOf(unscoped)).toMatchObject({
      [USER]: ['JWT', undefined, 'ApiHttpJwt'],
      [TWIN]: ['JWT', ['tidemark/service'], 'ApiHttpJwt'],
      [SERVICE]: ['JWT', ['tidemark/service'], 'ApiHttpJwt'],
    });
    expect(scopesOf(unscoped, 'Apigetinbox')).toEqual({ SERVICE_SCOPE: 'tidemark/service' });
  });

  test('is for each of several audiences', () => {
    const template = synthesize({ ...context, jwtAudience: ['web', 'ios'] });
    expect(ofType(template, 'AWS::ApiGatewayV2::Authorizer').ApiHttpJwt?.Properties.JwtConfiguration).toEqual(
      {
        Issuer: 'https://login.example.com/',
        Audience: ['web', 'ios'],
      },
    );
  });

  describe('where back ends sign their calls', () => {
    const template = synthesize({ ...context, serviceAuth: 'iam', userScope: null });

    test('are their routes for signatures, and those of users for tokens', () => {
      expect(routesOf(template)).toMatchObject({
        [USER]: ['JWT', undefined, 'ApiHttpJwt'],
        [TWIN]: ['AWS_IAM', undefined, undefined],
        [SERVICE]: ['AWS_IAM', undefined, undefined],
        [HEALTH]: ['NONE', undefined, undefined],
      });
      const open = Object.values(routesOf(template)).filter(([type]) => type === 'NONE');
      expect(open).toHaveLength(1);
    });

    test('is the name of the one who signed in the access log', () => {
      const [stage] = Object.values(ofType(template, 'AWS::ApiGatewayV2::Stage'));
      expect(JSON.stringify(stage?.Properties.AccessLogSettings)).toContain(
        String.raw`\"caller\":\"$context.identity.userArn\"`,
      );
    });

    test('do the functions take no token for a back end', () => {
      expect(scopesOf(template, 'Apigetinbox')).toEqual({});
      expect(scopesOf(template, 'Apirecordmessage')).toEqual({});
    });

    test('names the template what their role must be allowed to invoke: their routes and no others', () => {
      const api = 'arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:ApiHttp/$default';
      expect(template.Outputs.ServiceRouteArns).toEqual({
        Description: 'What the role of a back end must be allowed to execute-api:Invoke',
        Value: [
          `${api}/*/v1/users/*`,
          `${api}/PUT/v1/groups/*/members/*`,
          `${api}/POST/v1/groups/*/members`,
          `${api}/GET/v1/groups/*/members`,
          `${api}/DELETE/v1/groups/*/members/*`,
          `${api}/POST/v1/groups/*/messages`,
          `${api}/DELETE/v1/groups/*/messages/*`,
        ].join(','),
      });
    });
  });

  test('is no ARN where back ends show tokens', () => {
    expect(Object.keys(template.Outputs)).not.toContain('ServiceRouteArns');
  });
});
