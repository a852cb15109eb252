import * as v from 'valibot';
import { PolicyDocument, ResourcePolicyDocument } from '../iam/policy-document.ts';
import { type Resource, type Template, TemplateError } from './template.ts';

/*
 * Every schema is strict and has only what this project's template uses. A property or a value that the local stack does
 * not support stops the start: if it were ignored, its effect would show only on AWS.
 */

/** Properties without an effect on one machine. */
const ignored = <const Name extends string>(...names: Name[]) =>
  Object.fromEntries(names.map((name) => [name, v.optional(v.unknown())])) as Record<
    Name,
    v.OptionalSchema<v.UnknownSchema, undefined>
  >;

const text = v.string();
const texts = v.array(text);
const exactTexts = v.array(v.pipe(text, v.excludes('*', 'the local stack does not support wildcards here')));
const count = v.pipe(v.union([v.number(), v.pipe(v.string(), v.digits())]), v.transform(Number), v.integer());
const failureDestination = v.strictObject({ OnFailure: v.strictObject({ Destination: text }) });
const keySchema = v.array(v.strictObject({ AttributeName: text, KeyType: v.picklist(['HASH', 'RANGE']) }));
const reportsItemFailures = v.tuple([v.literal('ReportBatchItemFailures')]);

const StreamSource = v.strictObject({
  EventSourceArn: v.pipe(text, v.includes(':dynamodb:')),
  FunctionName: text,
  StartingPosition: v.literal('TRIM_HORIZON'),
  BatchSize: count,
  MaximumBatchingWindowInSeconds: v.literal(0, 'the local stack does not wait to fill a batch of a stream'),
  ParallelizationFactor: v.literal(1),
  MaximumRetryAttempts: count,
  MaximumRecordAgeInSeconds: count,
  BisectBatchOnFunctionError: v.literal(true),
  FunctionResponseTypes: reportsItemFailures,
  FilterCriteria: v.optional(v.strictObject({ Filters: v.array(v.strictObject({ Pattern: text })) }), {
    Filters: [],
  }),
  DestinationConfig: failureDestination,
});
export type StreamSource = v.InferOutput<typeof StreamSource>;

const QueueSource = v.strictObject({
  EventSourceArn: v.pipe(text, v.includes(':sqs:')),
  FunctionName: text,
  BatchSize: count,
  MaximumBatchingWindowInSeconds: v.optional(count, 0),
  FunctionResponseTypes: reportsItemFailures,
  ScalingConfig: v.strictObject({ MaximumConcurrency: v.pipe(count, v.minValue(2)) }),
});
export type QueueSource = v.InferOutput<typeof QueueSource>;

const HttpApi = v.strictObject({
  ...ignored('Name', 'Description'),
  ProtocolType: v.literal('HTTP'),
  CorsConfiguration: v.optional(
    v.strictObject({
      AllowOrigins: exactTexts,
      AllowMethods: exactTexts,
      AllowHeaders: exactTexts,
      ExposeHeaders: exactTexts,
      MaxAge: count,
    }),
  ),
});
export type HttpApi = v.InferOutput<typeof HttpApi>;

const WebSocketApi = v.strictObject({
  ...ignored('Name', 'Description'),
  ProtocolType: v.literal('WEBSOCKET'),
  RouteSelectionExpression: v.literal('$request.body.action', 'the local stack selects by action alone'),
});
type WebSocketApi = v.InferOutput<typeof WebSocketApi>;

/** The parts of an HTTP API. Those of a WebSocket API have the same types, with other properties. */
const HTTP_PARTS = {
  'AWS::ApiGatewayV2::Route': v.strictObject({
    ApiId: text,
    RouteKey: text,
    AuthorizationType: v.picklist(['NONE', 'JWT', 'AWS_IAM']),
    AuthorizerId: v.optional(text, ''),
    AuthorizationScopes: v.optional(texts, []),
    Target: text,
  }),
  'AWS::ApiGatewayV2::Integration': v.strictObject({
    ApiId: text,
    IntegrationType: v.literal('AWS_PROXY'),
    IntegrationUri: text,
    PayloadFormatVersion: v.literal('2.0'),
  }),
  'AWS::ApiGatewayV2::Authorizer': v.strictObject({
    ApiId: text,
    Name: text,
    AuthorizerType: v.literal('JWT'),
    IdentitySource: v.tuple([v.literal('$request.header.Authorization')]),
    JwtConfiguration: v.strictObject({ Audience: texts, Issuer: text }),
  }),
} as const;
export type JwtAuthorizerProperties = v.InferOutput<(typeof HTTP_PARTS)['AWS::ApiGatewayV2::Authorizer']>;

/**
 * A key of templates. On AWS a selection expression may read the message; `\$default` stands for the text `$default`.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
 */
const fixedKey = v.pipe(
  text,
  v.regex(/^(?:\\\$|[^$])*$/, 'the local stack knows no expressions here'),
  v.transform((expression) => expression.replaceAll('\\$', '$')),
);
/** A template that is the same text for each message. */
const fixedTemplates = v.record(text, v.pipe(text, v.regex(/^[^$#]*$/, 'the local stack knows no Velocity')));

const MockIntegration = v.strictObject({
  ApiId: text,
  IntegrationType: v.literal('MOCK'),
  IntegrationUri: v.optional(v.literal('')),
  RequestTemplates: fixedTemplates,
  TemplateSelectionExpression: fixedKey,
});
export type MockIntegration = v.InferOutput<typeof MockIntegration>;

const WEB_SOCKET_PARTS = {
  'AWS::ApiGatewayV2::Route': v.strictObject({
    ...ignored('OperationName'),
    ApiId: text,
    RouteKey: text,
    AuthorizationType: v.picklist(['NONE', 'CUSTOM']),
    AuthorizerId: v.optional(text, ''),
    Target: text,
    RouteResponseSelectionExpression: v.optional(v.literal('$default')),
  }),
  'AWS::ApiGatewayV2::RouteResponse': v.strictObject({
    ApiId: text,
    RouteId: text,
    RouteResponseKey: v.literal('$default'),
  }),
  'AWS::ApiGatewayV2::Integration': v.variant('IntegrationType', [
    v.strictObject({ ApiId: text, IntegrationType: v.literal('AWS_PROXY'), IntegrationUri: text }),
    MockIntegration,
  ]),
  'AWS::ApiGatewayV2::IntegrationResponse': v.strictObject({
    ApiId: text,
    IntegrationId: text,
    IntegrationResponseKey: text,
    ResponseTemplates: fixedTemplates,
    TemplateSelectionExpression: fixedKey,
  }),
  'AWS::ApiGatewayV2::Authorizer': v.strictObject({
    ApiId: text,
    Name: text,
    AuthorizerType: v.literal('REQUEST'),
    AuthorizerUri: text,
    IdentitySource: v.tuple([
      v.pipe(text, v.startsWith('route.request.header.', 'the local stack knows headers here alone')),
    ]),
  }),
  'AWS::ApiGatewayV2::Stage': v.strictObject({
    // One user of one machine is not throttled.
    ...ignored('AccessLogSettings', 'DefaultRouteSettings', 'Description'),
    ApiId: text,
    StageName: v.pipe(text, v.regex(/^[A-Za-z0-9_-]+$/)),
    AutoDeploy: v.literal(true),
  }),
} as const;

/** The keyword in the input of a schedule that stands for the time for which it invokes its target. */
export const SCHEDULED_TIME = '<aws.scheduler.scheduled-time>';

function hasOnlyTime(input: string): boolean {
  return !input.replaceAll(SCHEDULED_TIME, '').includes('<aws.scheduler.');
}

const SCHEMAS = {
  'AWS::Lambda::Function': v.strictObject({
    ...ignored('Architectures', 'Description', 'LoggingConfig', 'TracingConfig'),
    // Ignored: the local queues bound no loop of a function.
    ...ignored('RecursiveLoop'),
    FunctionName: v.optional(text),
    Role: text,
    Handler: text,
    Runtime: v.pipe(text, v.regex(/^nodejs\d+\.x$/, 'the local stack runs only Node.js')),
    MemorySize: count,
    Timeout: count,
    Code: v.strictObject({ S3Bucket: text, S3Key: text }),
    Environment: v.optional(v.strictObject({ Variables: v.record(text, text) }), { Variables: {} }),
  }),
  'AWS::Lambda::EventInvokeConfig': v.strictObject({
    // Ignored: an event is only older than this if its function is not invoked for hours.
    ...ignored('MaximumEventAgeInSeconds'),
    Qualifier: v.literal('$LATEST'),
    FunctionName: text,
    MaximumRetryAttempts: count,
    DestinationConfig: v.optional(failureDestination),
  }),
  'AWS::Lambda::EventSourceMapping': v.variant('EventSourceArn', [StreamSource, QueueSource]),
  'AWS::Lambda::Permission': v.strictObject({
    FunctionName: text,
    Action: v.literal('lambda:InvokeFunction'),
    Principal: text,
    SourceArn: text,
  }),
  'AWS::ApiGatewayV2::Api': v.variant('ProtocolType', [HttpApi, WebSocketApi]),
  'AWS::DynamoDB::Table': v.strictObject({
    BillingMode: v.literal('PAY_PER_REQUEST'),
    ...ignored('DeletionProtectionEnabled', 'PointInTimeRecoverySpecification'),
    AttributeDefinitions: v.array(v.strictObject({ AttributeName: text, AttributeType: v.literal('S') })),
    KeySchema: keySchema,
    GlobalSecondaryIndexes: v.optional(
      v.array(
        v.strictObject({
          IndexName: text,
          KeySchema: keySchema,
          Projection: v.strictObject({ ProjectionType: v.literal('KEYS_ONLY') }),
        }),
      ),
      [],
    ),
    StreamSpecification: v.optional(v.strictObject({ StreamViewType: v.literal('NEW_AND_OLD_IMAGES') })),
    TimeToLiveSpecification: v.optional(v.strictObject({ AttributeName: text, Enabled: v.literal(true) })),
  }),
  'AWS::Events::EventBus': v.strictObject({ Name: text }),
  'AWS::Events::Rule': v.strictObject({
    ...ignored('Description'),
    EventBusName: text,
    EventPattern: v.record(text, v.unknown()),
    State: v.literal('ENABLED'),
    Targets: v.array(
      v.strictObject({
        Arn: text,
        Id: text,
        DeadLetterConfig: v.strictObject({ Arn: text }),
        // Ignored: here a rule never fails to invoke a function or to send to a queue. Later failures are handled there.
        ...ignored('RetryPolicy'),
      }),
    ),
  }),
  'AWS::IAM::Policy': v.strictObject({
    ...ignored('PolicyName'),
    PolicyDocument,
    Roles: texts,
  }),
  'AWS::IAM::Role': v.strictObject({
    ...ignored('AssumeRolePolicyDocument', 'Description'),
    // It lets a function write its log, which a function here may do anyway.
    ManagedPolicyArns: v.optional(
      v.tuple([v.literal('arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole')]),
    ),
  }),
  'AWS::Scheduler::Schedule': v.strictObject({
    ...ignored('Description', 'GroupName', 'Name'),
    ScheduleExpression: v.literal('rate(1 minute)', 'the local stack plays only schedules of each minute'),
    FlexibleTimeWindow: v.strictObject({ Mode: v.literal('OFF') }),
    Target: v.strictObject({
      Arn: v.pipe(text, v.includes(':function:', 'the local stack plays only schedules of functions')),
      RoleArn: text,
      Input: v.pipe(text, v.check(hasOnlyTime, 'the local stack knows only <aws.scheduler.scheduled-time>')),
      // Ignored: here a schedule never fails to invoke a function.
      ...ignored('RetryPolicy'),
    }),
  }),
  'AWS::Scheduler::ScheduleGroup': v.strictObject({ Name: text }),
  'AWS::SecretsManager::Secret': v.strictObject({
    ...ignored('Description'),
    GenerateSecretString: v.strictObject({ PasswordLength: count, ExcludePunctuation: v.literal(true) }),
  }),
  'AWS::SQS::Queue': v.strictObject({
    ...ignored('MessageRetentionPeriod', 'SqsManagedSseEnabled'),
    QueueName: v.optional(text),
    VisibilityTimeout: v.optional(count, 30),
    RedrivePolicy: v.optional(v.strictObject({ deadLetterTargetArn: text, maxReceiveCount: count })),
  }),
  'AWS::SQS::QueuePolicy': v.strictObject({
    Queues: texts,
    PolicyDocument: ResourcePolicyDocument,
  }),
} as const;

export type ResourceType = keyof typeof SCHEMAS;
export type Properties<T extends ResourceType> = v.InferOutput<(typeof SCHEMAS)[T]>;

export interface TypedResource<T extends ResourceType> {
  readonly logicalId: string;
  readonly properties: Properties<T>;
}

/** Types that have no effect here, or that are read through the types above. */
const ELSEWHERE = new Set([
  'AWS::CloudWatch::Alarm',
  'AWS::Logs::LogGroup',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
]);

/** Throws a TemplateError if the template has a type of resource that the local stack does not support. */
export function checkTypes(template: Template): void {
  const known = [SCHEMAS, HTTP_PARTS, WEB_SOCKET_PARTS].flatMap(Object.keys);
  const unknown = template.resources.find(({ type }) => !known.includes(type) && !ELSEWHERE.has(type));
  if (unknown)
    throw new TemplateError(`${unknown.logicalId}: the local stack does not support ${unknown.type}`);
}

/** Throws a TemplateError if a resource has a property or a value that the local stack does not support. */
export function checkProperties(template: Template): void {
  for (const type of Object.keys(SCHEMAS)) resourcesOf(template, type as ResourceType);
}

/** The resources of a type, with their supported properties. Throws a TemplateError for an unsupported value. */
export function resourcesOf<T extends ResourceType>(template: Template, type: T): TypedResource<T>[] {
  return template.resources
    .filter((resource) => resource.type === type)
    .map((resource) => ({
      logicalId: resource.logicalId,
      properties: propertiesOf(resource, SCHEMAS[type]),
    }));
}

/** An API of the template, with a way to its parts: its routes and what belongs to them. */
interface Api<P, Parts extends Record<string, v.GenericSchema>> {
  readonly logicalId: string;
  readonly properties: P;
  partsOf<T extends keyof Parts>(
    type: T,
  ): { readonly logicalId: string; readonly properties: v.InferOutput<Parts[T]> }[];
}

/** The HTTP API. Throws where there are none or several. */
export function httpApiOf(template: Template): Api<HttpApi, typeof HTTP_PARTS> {
  const apis = resourcesOf(template, 'AWS::ApiGatewayV2::Api').flatMap(({ logicalId, properties }) =>
    properties.ProtocolType === 'HTTP' ? [apiWith(template, logicalId, properties, HTTP_PARTS)] : [],
  );
  const api = onlyOne(apis, 'HTTP API');
  if (!api) throw new TemplateError('expected one HTTP API, found 0');
  return api;
}

export type WebSocketApiDefinition = Api<WebSocketApi, typeof WEB_SOCKET_PARTS>;

/** The WebSocket API; null where there is none. Throws where there are several. */
export function webSocketApiOf(template: Template): WebSocketApiDefinition | null {
  const apis = resourcesOf(template, 'AWS::ApiGatewayV2::Api').flatMap(({ logicalId, properties }) =>
    properties.ProtocolType === 'WEBSOCKET'
      ? [apiWith(template, logicalId, properties, WEB_SOCKET_PARTS)]
      : [],
  );
  return onlyOne(apis, 'WebSocket API');
}

const Part = v.looseObject({ ApiId: v.string() });

function apiWith<P, Parts extends Record<string, v.GenericSchema>>(
  template: Template,
  logicalId: string,
  properties: P,
  parts: Parts,
): Api<P, Parts> {
  return {
    ...{ logicalId, properties },
    partsOf: (type) =>
      template.resources
        .filter((resource) => resource.type === type)
        .filter((resource) => propertiesOf(resource, Part).ApiId === logicalId)
        .map((resource) => ({
          logicalId: resource.logicalId,
          properties: propertiesOf(resource, parts[type]),
        })),
  };
}

export interface EventSource<P> {
  readonly logicalId: string;
  readonly properties: P;
}

/** The event sources that read streams. */
export function streamSourcesOf(template: Template): EventSource<StreamSource>[] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping').flatMap(({ logicalId, properties }) =>
    'StartingPosition' in properties ? [{ logicalId, properties }] : [],
  );
}

/** The event sources that read queues. */
export function queueSourcesOf(template: Template): EventSource<QueueSource>[] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping').flatMap(({ logicalId, properties }) =>
    'ScalingConfig' in properties ? [{ logicalId, properties }] : [],
  );
}

/** The only table with a stream. Tables of subscribers have none. */
export function ledgerTableOf(template: Template): TypedResource<'AWS::DynamoDB::Table'> {
  const tables = resourcesOf(template, 'AWS::DynamoDB::Table').filter(
    ({ properties }) => properties.StreamSpecification,
  );
  const [ledger, ...others] = tables;
  if (ledger && others.length === 0) return ledger;
  const found = tables.map(({ logicalId }) => logicalId).join(', ');
  throw new TemplateError(`expected one table with a stream, found ${found || 'none'}`);
}

/** The only resource of a type. Throws a TemplateError if there are none or several. */
export function onlyResource<T extends ResourceType>(template: Template, type: T): TypedResource<T> {
  const only = onlyOne(resourcesOf(template, type), type);
  if (!only) throw new TemplateError(`expected one ${type}, found 0`);
  return only;
}

function onlyOne<T>(found: readonly T[], what: string): T | null {
  if (found.length > 1) throw new TemplateError(`expected one ${what}, found ${found.length}`);
  return found[0] ?? null;
}

/** The function's name, from its name or its ARN. */
export function functionNameIn(nameOrArn: string): string {
  return nameOrArn.split(':function:').at(-1) ?? nameOrArn;
}

function propertiesOf<S extends v.GenericSchema>(
  { logicalId, type, properties }: Resource,
  schema: S,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, properties);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new TemplateError(
    `${logicalId} (${type}): ${v.getDotPath(issue) ?? 'its properties'}: ${issue.message}`,
  );
}
