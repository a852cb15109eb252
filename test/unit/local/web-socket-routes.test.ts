import { describe, expect, test } from '@jest/globals';
import { webSocketApiOf } from '../../../local/aws/cloudformation/properties.ts';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import { callbackUrlOf, webSocketRoutesOf } from '../../../local/aws/web-sockets/routes.ts';

const FUNCTION_ARN = 'arn:aws:lambda:us-east-1:000000000000:function:frames';
const URI = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${FUNCTION_ARN}/invocations`;
const EXECUTE_API = 'arn:aws:execute-api:us-east-1:000000000000:Api';

type Changes = Readonly<Record<string, object | null>>;

/** A template of an API with a route for each kind of integration. `changes` are laid over properties; null takes one out. */
function templateWith(changes: Changes = {}): Template {
  const resource = (logicalId: string, type: string, properties: object) => {
    const change = changes[logicalId];
    return change === null ? [] : [{ logicalId, type, properties: { ...properties, ...change } }];
  };
  const part = (logicalId: string, type: string, properties: object) =>
    resource(logicalId, `AWS::ApiGatewayV2::${type}`, { ApiId: 'Api', ...properties });
  return {
    stackName: 'test',
    resources: [
      ...resource('Api', 'AWS::ApiGatewayV2::Api', {
        ...{ ProtocolType: 'WEBSOCKET', RouteSelectionExpression: '$request.body.action' },
      }),
      ...part('Stage', 'Stage', { StageName: 'live', AutoDeploy: true }),
      ...part('Authorizer', 'Authorizer', {
        ...{ Name: 'token', AuthorizerType: 'REQUEST', AuthorizerUri: URI },
        IdentitySource: ['route.request.header.Sec-WebSocket-Protocol'],
      }),
      ...part('Connect', 'Route', {
        ...{ RouteKey: '$connect', Target: 'integrations/Frames' },
        ...{ AuthorizationType: 'CUSTOM', AuthorizerId: 'Authorizer' },
      }),
      ...part('Frames', 'Integration', { IntegrationType: 'AWS_PROXY', IntegrationUri: URI }),
      ...part('Ping', 'Route', {
        ...{ RouteKey: 'ping', AuthorizationType: 'NONE', Target: 'integrations/Mock' },
        RouteResponseSelectionExpression: '$default',
      }),
      ...part('PingResponse', 'RouteResponse', { RouteId: 'Ping', RouteResponseKey: '$default' }),
      ...part('Mock', 'Integration', {
        ...{ IntegrationType: 'MOCK', IntegrationUri: '' },
        ...{
          RequestTemplates: { $default: '{"statusCode":200}' },
          TemplateSelectionExpression: '\\$default',
        },
      }),
      ...part('Pong', 'IntegrationResponse', {
        ...{ IntegrationId: 'Mock', IntegrationResponseKey: '/2\\d\\d/' },
        ...{ ResponseTemplates: { one: '{"type":"pong"}' }, TemplateSelectionExpression: 'one' },
      }),
      ...resource('OfConnect', 'AWS::Lambda::Permission', {
        ...{ Action: 'lambda:InvokeFunction', FunctionName: FUNCTION_ARN },
        ...{ Principal: 'apigateway.amazonaws.com', SourceArn: `${EXECUTE_API}/*$connect` },
      }),
      ...resource('OfAuthorizer', 'AWS::Lambda::Permission', {
        ...{ Action: 'lambda:InvokeFunction', FunctionName: FUNCTION_ARN },
        ...{ Principal: 'apigateway.amazonaws.com', SourceArn: `${EXECUTE_API}/authorizers/Authorizer` },
      }),
    ],
    identityOf: (logicalId) => ({ ref: logicalId, attributes: {} }),
    assetDirectory: () => undefined,
  };
}

function routesOf(template: Template) {
  const api = webSocketApiOf(template);
  if (!api) throw new Error('there is no API');
  return webSocketRoutesOf(template, api);
}

test('routes, their integrations and the authorizer are read', () => {
  expect(routesOf(templateWith())).toEqual({
    apiId: 'Api',
    stage: 'live',
    authorizer: { functionName: 'frames', header: 'Sec-WebSocket-Protocol' },
    routes: new Map([
      [
        '$connect',
        expect.objectContaining({
          integration: { kind: 'function', functionName: 'frames' },
          isAnswered: false,
        }),
      ],
      [
        'ping',
        expect.objectContaining({
          integration: { kind: 'mock', answer: '{"type":"pong"}' },
          isAnswered: true,
        }),
      ],
    ]),
  });
});

test('functions call connections at the URL that the CDK writes', () => {
  const api = webSocketApiOf(templateWith());
  expect(api && callbackUrlOf(api)).toBe('https://Api.execute-api.us-east-1.amazonaws.com/live');
});

test('a mock integration that nobody is answered by needs no response', () => {
  const { routes } = routesOf(templateWith({ PingResponse: null, Pong: null }));
  expect(routes.get('ping')).toMatchObject({ isAnswered: false, integration: { kind: 'mock', answer: '' } });
});

test('a deployment may have no WebSocket API', () => {
  expect(webSocketApiOf(templateWith({ Api: null }))).toBeNull();
});

describe('what the local stack does not play, or AWS would refuse, stops the start:', () => {
  test.each<[string, Changes, string]>([
    ['another selection', { Api: { RouteSelectionExpression: '$request.body.type' } }, 'by action alone'],
    [
      'another identity source',
      { Authorizer: { IdentitySource: ['context.stage'] } },
      'knows headers here alone',
    ],
    [
      'an authorizer that caches',
      { Authorizer: { AuthorizerResultTtlInSeconds: 300 } },
      'AuthorizerResultTtl',
    ],
    ['an authorizer that is not there', { Authorizer: null }, 'there is no authorizer Authorizer'],
    ['an authorizer of another route', { Ping: { AuthorizationType: 'CUSTOM' } }, 'only $connect'],
    ['an integration that is not there', { Frames: null }, 'there is no integration integrations/Frames'],
    [
      'a function of no ARN',
      { Frames: { IntegrationUri: 'https://example.com' } },
      'does not know the integration',
    ],
    ['an HTTP integration', { Frames: { IntegrationType: 'HTTP_PROXY' } }, 'IntegrationType'],
    ['no stage', { Stage: null }, 'expected one stage'],
    ['a stage that is not deployed by itself', { Stage: { AutoDeploy: false } }, 'AutoDeploy'],
    ['no permission for a route', { OfConnect: null }, 'API Gateway may not invoke frames for'],
    ['no permission for the authorizer', { OfAuthorizer: null }, 'API Gateway may not invoke frames for'],
    [
      'a permission for another API',
      { OfConnect: { SourceArn: 'arn:aws:execute-api:us-east-1:000000000000:Other/*$connect' } },
      'API Gateway may not invoke frames for',
    ],
    [
      'a template that reads the message',
      { Pong: { ResponseTemplates: { one: '$input.body' } } },
      'knows no Velocity',
    ],
    [
      'an expression',
      { Mock: { TemplateSelectionExpression: '$request.body.a' } },
      'knows no expressions here',
    ],
    [
      'an expression that selects no template',
      { Mock: { TemplateSelectionExpression: 'none' } },
      'statusCode',
    ],
    ['a request template without a status', { Mock: { RequestTemplates: { $default: '{}' } } }, 'statusCode'],
    [
      'no response to a status',
      { Pong: { IntegrationResponseKey: '/4\\d\\d/' } },
      'no template for its response 200',
    ],
    [
      'a response without its template',
      { Pong: { TemplateSelectionExpression: 'two' } },
      'no template for its response',
    ],
  ])('%s', (_what, changes, problem) => {
    expect(() => routesOf(templateWith(changes))).toThrow(problem);
  });
});
