import { describe, expect, test } from '@jest/globals';
import { context, ofType, synthesize } from './synthesized.ts';

const template = synthesize();
const api = 'arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:LiveWebSockets';

/** The properties of the resources of a type that belong to the WebSocket API. */
function ofApi(type: string) {
  return Object.values(ofType(template, type))
    .map(({ Properties }) => Properties)
    .filter(({ ApiId }) => ApiId === 'LiveWebSockets');
}

describe('the WebSocket API', () => {
  test('goes by the action of a frame', () => {
    expect(template.Resources.LiveWebSockets?.Properties).toMatchObject({
      ProtocolType: 'WEBSOCKET',
      RouteSelectionExpression: '$request.body.action',
    });
  });

  test('leads each route to its function, and authorizes each connect', () => {
    const integrations = ofType(template, 'AWS::ApiGatewayV2::Integration');
    const seen = ofApi('AWS::ApiGatewayV2::Route').map((route) => {
      const integration = integrations[String(route.Target).replace('integrations/', '')]?.Properties;
      const [, functionId] =
        /functions\/(\w+)\.Arn\/invocations$/.exec(String(integration?.IntegrationUri)) ?? [];
      return [route.RouteKey, route.AuthorizationType, integration?.IntegrationType, functionId];
    });
    expect(seen).toEqual([
      ['$connect', 'CUSTOM', 'AWS_PROXY', 'Liveopenconnection'],
      ['$disconnect', 'NONE', 'AWS_PROXY', 'Livecloseconnection'],
      ['$default', 'NONE', 'AWS_PROXY', 'Liveanswerframe'],
      ['sync', 'NONE', 'AWS_PROXY', 'Liveanswerframe'],
      ['mark', 'NONE', 'AWS_PROXY', 'Liveanswerframe'],
      ['delivered', 'NONE', 'AWS_PROXY', 'Liveanswerframe'],
      ['unread', 'NONE', 'AWS_PROXY', 'Liveanswerframe'],
      ['ping', 'NONE', 'MOCK', undefined],
    ]);
  });

  test('may invoke these functions for these routes only', () => {
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission'))
      .map(({ Properties }) => [Properties.FunctionName, Properties.SourceArn])
      .filter(([, source]) => String(source).includes('LiveWebSockets'));
    expect(permissions).toEqual([
      ['Liveopenconnection.Arn', `${api}/*$connect`],
      ['Liveauthorizeconnection.Arn', `${api}/authorizers/LiveWebSocketsToken`],
      ['Livecloseconnection.Arn', `${api}/*$disconnect`],
      ['Liveanswerframe.Arn', `${api}/*$default`],
      ['Liveanswerframe.Arn', `${api}/*sync`],
      ['Liveanswerframe.Arn', `${api}/*mark`],
      ['Liveanswerframe.Arn', `${api}/*delivered`],
      ['Liveanswerframe.Arn', `${api}/*unread`],
    ]);
  });

  test('takes the token from the subprotocols, the one header that a page can set', () => {
    expect(ofApi('AWS::ApiGatewayV2::Authorizer')).toMatchObject([
      { AuthorizerType: 'REQUEST', IdentitySource: ['route.request.header.Sec-WebSocket-Protocol'] },
    ]);
  });

  test('sends back what answers a frame, and nothing after $disconnect', () => {
    const answering = ofApi('AWS::ApiGatewayV2::Route')
      .filter(({ RouteResponseSelectionExpression }) => RouteResponseSelectionExpression === '$default')
      .map(({ RouteKey }) => RouteKey);
    expect(answering).toEqual(['$default', 'sync', 'mark', 'delivered', 'unread', 'ping']);
    expect(ofApi('AWS::ApiGatewayV2::RouteResponse')).toHaveLength(6);
  });

  test('answers a ping by itself', () => {
    expect(ofApi('AWS::ApiGatewayV2::IntegrationResponse')).toEqual([
      {
        ApiId: 'LiveWebSockets',
        IntegrationId: 'LiveWebSocketspingRoutePong',
        IntegrationResponseKey: '$default',
        TemplateSelectionExpression: '200',
        ResponseTemplates: { 200: '{"type":"pong"}' },
      },
    ]);
    expect(template.Resources.LiveWebSocketspingRoutePong?.Properties).toMatchObject({
      RequestTemplates: { 200: '{"statusCode":200}' },
      TemplateSelectionExpression: '200',
    });
  });

  test('is throttled, and changes no setting that other APIs of the account share', () => {
    expect(ofApi('AWS::ApiGatewayV2::Stage')).toEqual([
      {
        ApiId: 'LiveWebSockets',
        StageName: 'live',
        AutoDeploy: true,
        DefaultRouteSettings: { ThrottlingRateLimit: 2000, ThrottlingBurstLimit: 1000 },
      },
    ]);
    const types = Object.values(template.Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type.startsWith('AWS::ApiGateway::'))).toEqual([]);
  });
});

test('back ends that sign their calls leave users no other way in', () => {
  const signed = synthesize({ ...context, serviceAuth: 'iam', userScope: null });
  expect(signed.Resources.Liveauthorizeconnection?.Properties.Environment).toEqual({
    Variables: { TOKEN_ISSUERS: '[{"issuer":"https://login.example.com/","audience":["tidemark"]}]' },
  });
});
