import * as v from 'valibot';
import {
  functionNameIn,
  type MockIntegration,
  resourcesOf,
  type WebSocketApiDefinition,
} from '../cloudformation/properties.ts';
import { ACCOUNT_ID, REGION, type Template, TemplateError } from '../cloudformation/template.ts';
import { Principal } from '../iam/principal.ts';

/** Where a message goes. */
export type Integration =
  | { readonly kind: 'function'; readonly functionName: string }
  /** The gateway answers itself. */
  | { readonly kind: 'mock'; readonly answer: string };

export interface Route {
  readonly routeKey: string;
  readonly integration: Integration;
  /** Whether the client gets what the integration answers. */
  readonly isAnswered: boolean;
}

export interface Authorizer {
  readonly functionName: string;
  readonly header: string;
}

/** A WebSocket API as the template has it. */
export interface WebSocketRoutes {
  readonly apiId: string;
  readonly stage: string;
  readonly routes: ReadonlyMap<string, Route>;
  /** That of `$connect`; null where it has none. */
  readonly authorizer: Authorizer | null;
}

/** The ARN of something in an API that may be invoked or called. */
export function executeArn(apiId: string, path: string): string {
  return `arn:aws:execute-api:${REGION}:${ACCOUNT_ID}:${apiId}/${path}`;
}

/** The stage of a WebSocket API: the path of its URL. */
export function stageOf(api: WebSocketApiDefinition): string {
  const [stage, ...others] = api.partsOf('AWS::ApiGatewayV2::Stage');
  if (!stage || others.length > 0) throw new TemplateError(`${api.logicalId}: expected one stage`);
  return stage.properties.StageName;
}

/** The URL under which functions call the connections of an API on AWS: `callbackUrl` in the CDK. */
export function callbackUrlOf(api: WebSocketApiDefinition): string {
  return `https://${api.logicalId}.execute-api.${REGION}.amazonaws.com/${stageOf(api)}`;
}

/** @throws TemplateError where a part refers to nothing, or API Gateway may not invoke a function */
export function webSocketRoutesOf(template: Template, api: WebSocketApiDefinition): WebSocketRoutes {
  const { logicalId: apiId } = api;
  const stage = stageOf(api);
  const integrations = api.partsOf('AWS::ApiGatewayV2::Integration');
  const routeResponses = api.partsOf('AWS::ApiGatewayV2::RouteResponse');
  const requireInvocation = permissionsOf(template);
  const found = api.partsOf('AWS::ApiGatewayV2::Route').map(({ logicalId, properties }) => {
    const { RouteKey: routeKey, Target, AuthorizationType, AuthorizerId } = properties;
    const given = integrations.find((one) => `integrations/${one.logicalId}` === Target);
    if (!given) throw new TemplateError(`${logicalId}: there is no integration ${Target}`);
    if (AuthorizationType === 'CUSTOM' && routeKey !== '$connect')
      throw new TemplateError(`${logicalId}: only $connect can have an authorizer`);
    const isAnswered = routeResponses.some((response) => response.properties.RouteId === logicalId);
    const integration: Integration =
      given.properties.IntegrationType === 'MOCK'
        ? { kind: 'mock', answer: mockAnswer(api, given.logicalId, given.properties, isAnswered) }
        : { kind: 'function', functionName: functionIn(given.properties.IntegrationUri) };
    if (integration.kind === 'function')
      requireInvocation(logicalId, integration.functionName, executeArn(apiId, `${stage}/${routeKey}`));
    return { routeKey, integration, isAnswered, authorizerId: AuthorizerId };
  });
  const connect = found.find(({ routeKey }) => routeKey === '$connect');
  return {
    apiId,
    stage,
    routes: new Map(found.map((route) => [route.routeKey, route])),
    authorizer: connect?.authorizerId ? authorizerOf(api, connect.authorizerId, requireInvocation) : null,
  };
}

type RequireInvocation = (logicalId: string, functionName: string, sourceArn: string) => void;

function authorizerOf(
  api: WebSocketApiDefinition,
  authorizerId: string,
  requireInvocation: RequireInvocation,
): Authorizer {
  const authorizer = api
    .partsOf('AWS::ApiGatewayV2::Authorizer')
    .find(({ logicalId }) => logicalId === authorizerId);
  if (!authorizer) throw new TemplateError(`${api.logicalId}: there is no authorizer ${authorizerId}`);
  const { AuthorizerUri, IdentitySource } = authorizer.properties;
  const functionName = functionIn(AuthorizerUri);
  requireInvocation(authorizerId, functionName, executeArn(api.logicalId, `authorizers/${authorizerId}`));
  return { functionName, header: IdentitySource[0].slice('route.request.header.'.length) };
}

/** Throws where the template does not let API Gateway invoke a function. AWS answers with 500 then. */
function permissionsOf(template: Template): RequireInvocation {
  const permissions = resourcesOf(template, 'AWS::Lambda::Permission').filter(
    ({ properties }) => properties.Principal === 'apigateway.amazonaws.com',
  );
  return (logicalId, functionName, sourceArn) => {
    const Resource = permissions
      .filter(({ properties }) => functionNameIn(properties.FunctionName) === functionName)
      .map(({ properties }) => properties.SourceArn);
    const Statement = [{ Effect: 'Allow' as const, Action: ['lambda:InvokeFunction'], Resource }];
    const gateway = new Principal('apigateway.amazonaws.com', [{ Version: '2012-10-17', Statement }]);
    if (!gateway.allows('lambda:InvokeFunction', sourceArn))
      throw new TemplateError(`${logicalId}: API Gateway may not invoke ${functionName} for ${sourceArn}`);
  };
}

/** The name of the function in the URI of an invocation, `arn:aws:apigateway:...:lambda:path/.../<ARN>/invocations`. */
function functionIn(uri: string): string {
  const [, arn] = /\/functions\/(.+)\/invocations$/.exec(uri) ?? [];
  if (arn === undefined) throw new TemplateError(`the local stack does not know the integration ${uri}`);
  return functionNameIn(arn);
}

const MockRequest = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ statusCode: v.pipe(v.number(), v.integer()) }),
);

/**
 * What a mock integration answers. Its request template chooses a status, and the status chooses the integration response
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-responses.html).
 */
function mockAnswer(
  api: WebSocketApiDefinition,
  logicalId: string,
  { RequestTemplates, TemplateSelectionExpression }: MockIntegration,
  isAnswered: boolean,
): string {
  const request = v.safeParse(MockRequest, RequestTemplates[TemplateSelectionExpression]);
  if (!request.success) {
    throw new TemplateError(
      `${logicalId}: its request template ${TemplateSelectionExpression} gives no integer as statusCode`,
    );
  }
  if (!isAnswered) return '';
  const status = String(request.output.statusCode);
  const responses = api
    .partsOf('AWS::ApiGatewayV2::IntegrationResponse')
    .map(({ properties }) => properties)
    .filter(({ IntegrationId }) => IntegrationId === logicalId);
  const response =
    responses.find(({ IntegrationResponseKey: key }) => isPatternOf(key, status)) ??
    responses.find(({ IntegrationResponseKey: key }) => key === '$default');
  const answer = response?.ResponseTemplates[response.TemplateSelectionExpression];
  if (answer === undefined)
    throw new TemplateError(`${logicalId}: there is no template for its response ${status}`);
  return answer;
}

/** Keys of statuses are patterns between slashes, such as `/2\d\d/`. */
function isPatternOf(key: string, status: string): boolean {
  const [, pattern] = /^\/(.+)\/$/.exec(key) ?? [];
  return pattern !== undefined && new RegExp(`^(?:${pattern})$`).test(status);
}
