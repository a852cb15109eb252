import * as v from 'valibot';
import { PolicyDocument, ResourcePolicyDocument } from '../iam/policy-document.ts';
import { type Resource, type Template, TemplateError } from './template.ts';

/*
 * Every schema is strict: a property that it neither honours nor names as ignored stops the start, since what is left
 * out here in silence would come to light on AWS alone.
 */

/** Properties that change nothing which could be seen on one machine. */
const ignored = <const Name extends string>(...names: Name[]) =>
  Object.fromEntries(names.map((name) => [name, v.optional(v.unknown())])) as Record<
    Name,
    v.OptionalSchema<v.UnknownSchema, undefined>
  >;

const text = v.string();
const texts = v.array(text);
const exactTexts = v.array(v.pipe(text, v.excludes('*', 'the local stack knows no wildcards here')));
const count = v.pipe(v.union([v.number(), v.pipe(v.string(), v.digits())]), v.transform(Number), v.integer());
/** -1 stands for no bound. */
const bound = v.optional(v.pipe(v.number(), v.integer(), v.minValue(-1)), -1);
const failureDestination = v.optional(
  v.strictObject({ OnFailure: v.optional(v.strictObject({ Destination: text })) }),
  {},
);

const SCHEMAS = {
  'AWS::Lambda::Function': v.strictObject({
    ...ignored('Architectures', 'Description', 'LoggingConfig', 'TracingConfig'),
    FunctionName: text,
    Role: text,
    Handler: text,
    Runtime: v.pipe(text, v.regex(/^nodejs\d+\.x$/, 'the local stack runs Node.js alone')),
    MemorySize: count,
    Timeout: count,
    Code: v.strictObject({ S3Bucket: text, S3Key: text }),
    Environment: v.optional(v.strictObject({ Variables: v.record(text, text) }), { Variables: {} }),
  }),
  'AWS::Lambda::EventInvokeConfig': v.strictObject({
    Qualifier: v.literal('$LATEST'),
    MaximumEventAgeInSeconds: v.optional(count),
    FunctionName: text,
    MaximumRetryAttempts: v.optional(count, 2),
    DestinationConfig: failureDestination,
  }),
  'AWS::Lambda::EventSourceMapping': v.strictObject({
    MaximumBatchingWindowInSeconds: v.optional(count, 0),
    ParallelizationFactor: v.optional(v.literal(1)),
    Enabled: v.optional(v.literal(true)),
    ...ignored('Tags'),
    EventSourceArn: text,
    FunctionName: text,
    StartingPosition: v.optional(v.picklist(['TRIM_HORIZON', 'LATEST'])),
    BatchSize: v.optional(count),
    ScalingConfig: v.optional(v.strictObject({ MaximumConcurrency: v.pipe(count, v.minValue(2)) })),
    MaximumRetryAttempts: bound,
    MaximumRecordAgeInSeconds: bound,
    BisectBatchOnFunctionError: v.optional(v.boolean(), false),
    FunctionResponseTypes: v.optional(v.array(v.literal('ReportBatchItemFailures')), []),
    FilterCriteria: v.optional(v.strictObject({ Filters: v.array(v.strictObject({ Pattern: text })) }), {
      Filters: [],
    }),
    DestinationConfig: failureDestination,
  }),
  'AWS::Lambda::Permission': v.strictObject({
    FunctionName: text,
    Action: v.literal('lambda:InvokeFunction'),
    Principal: text,
    SourceArn: v.optional(text, ''),
  }),
  'AWS::ApiGatewayV2::Api': v.strictObject({
    ...ignored('Name', 'Description', 'Tags'),
    ProtocolType: v.literal('HTTP'),
    CorsConfiguration: v.optional(
      v.strictObject({
        AllowOrigins: exactTexts,
        AllowMethods: exactTexts,
        AllowHeaders: exactTexts,
        ExposeHeaders: v.optional(exactTexts, []),
        MaxAge: v.optional(count, 0),
      }),
    ),
  }),
  'AWS::ApiGatewayV2::Route': v.strictObject({
    ApiId: text,
    RouteKey: text,
    AuthorizationType: v.optional(v.picklist(['NONE', 'JWT', 'AWS_IAM']), 'NONE'),
    AuthorizerId: v.optional(text, ''),
    AuthorizationScopes: v.optional(texts, []),
    Target: text,
  }),
  'AWS::ApiGatewayV2::Integration': v.strictObject({
    ApiId: text,
    IntegrationType: v.literal('AWS_PROXY'),
    IntegrationUri: text,
    PayloadFormatVersion: v.literal('2.0'),
    TimeoutInMillis: v.optional(count, 30_000),
  }),
  'AWS::ApiGatewayV2::Authorizer': v.strictObject({
    ApiId: text,
    Name: text,
    AuthorizerType: v.literal('JWT'),
    IdentitySource: v.tuple([v.literal('$request.header.Authorization')]),
    JwtConfiguration: v.strictObject({ Audience: texts, Issuer: text }),
  }),
  'AWS::DynamoDB::Table': v.strictObject({
    BillingMode: v.literal('PAY_PER_REQUEST'),
    ...ignored('DeletionProtectionEnabled', 'PointInTimeRecoverySpecification', 'Tags'),
    AttributeDefinitions: v.array(
      v.strictObject({ AttributeName: text, AttributeType: v.picklist(['S', 'N', 'B']) }),
    ),
    KeySchema: v.array(v.strictObject({ AttributeName: text, KeyType: v.picklist(['HASH', 'RANGE']) })),
    GlobalSecondaryIndexes: v.optional(
      v.array(
        v.strictObject({
          IndexName: text,
          KeySchema: v.array(v.strictObject({ AttributeName: text, KeyType: v.picklist(['HASH', 'RANGE']) })),
          Projection: v.strictObject({
            ProjectionType: v.picklist(['ALL', 'KEYS_ONLY', 'INCLUDE']),
            NonKeyAttributes: v.optional(texts, []),
          }),
        }),
      ),
      [],
    ),
    StreamSpecification: v.strictObject({
      StreamViewType: v.picklist(['NEW_AND_OLD_IMAGES', 'NEW_IMAGE', 'OLD_IMAGE', 'KEYS_ONLY']),
    }),
    TimeToLiveSpecification: v.optional(v.strictObject({ AttributeName: text, Enabled: v.boolean() })),
  }),
  'AWS::Events::EventBus': v.strictObject({
    ...ignored('Description', 'Tags'),
    Name: text,
  }),
  'AWS::Events::Rule': v.strictObject({
    ...ignored('Description'),
    EventBusName: v.optional(text, 'default'),
    EventPattern: v.record(text, v.unknown()),
    State: v.optional(v.picklist(['ENABLED', 'DISABLED']), 'ENABLED'),
    Targets: v.array(
      v.strictObject({
        Arn: text,
        Id: text,
        DeadLetterConfig: v.optional(v.strictObject({ Arn: text })),
        // Invoking a function or sending to a queue never fails here; what follows is for the EventInvokeConfig or the queue.
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
    ...ignored('AssumeRolePolicyDocument', 'Description', 'RoleName', 'Tags'),
    Policies: v.optional(v.array(v.strictObject({ ...ignored('PolicyName'), PolicyDocument })), []),
  }),
  'AWS::SecretsManager::Secret': v.strictObject({
    ...ignored('Description', 'Name', 'Tags'),
    GenerateSecretString: v.strictObject({ PasswordLength: count, ExcludePunctuation: v.literal(true) }),
  }),
  'AWS::SQS::Queue': v.strictObject({
    ...ignored('MessageRetentionPeriod', 'SqsManagedSseEnabled', 'Tags'),
    QueueName: text,
    VisibilityTimeout: v.optional(count, 30),
    DelaySeconds: v.optional(count, 0),
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

/** Types that exist on AWS alone, or that are read by way of those above. */
const ELSEWHERE = new Set([
  'AWS::ApiGatewayV2::Stage',
  'AWS::CloudWatch::Alarm',
  'AWS::Logs::LogGroup',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
]);

/** Throws where the template has a type of resource that the local stack has never heard of. */
export function checkTypes(template: Template): void {
  const unknown = template.resources.find(({ type }) => !(type in SCHEMAS) && !ELSEWHERE.has(type));
  if (unknown) throw new TemplateError(`${unknown.logicalId}: the local stack does not know ${unknown.type}`);
}

/** The resources of a type, with the properties that the local stack honours. Throws on a value that it cannot. */
export function resourcesOf<T extends ResourceType>(template: Template, type: T): TypedResource<T>[] {
  return template.resources
    .filter((resource) => resource.type === type)
    .map((resource) => ({ logicalId: resource.logicalId, properties: propertiesOf(resource, type) }));
}

/** The one resource of a type. Throws where there are none or several. */
export function onlyResource<T extends ResourceType>(template: Template, type: T): TypedResource<T> {
  const [only, ...others] = resourcesOf(template, type);
  if (!only || others.length > 0) {
    throw new TemplateError(`expected one ${type}, found ${others.length + (only ? 1 : 0)}`);
  }
  return only;
}

/** The name by which both a function's name and its ARN call it. */
export function functionNameIn(nameOrArn: string): string {
  return nameOrArn.split(':function:').at(-1) ?? nameOrArn;
}

function propertiesOf<T extends ResourceType>({ logicalId, properties }: Resource, type: T): Properties<T> {
  const parsed = v.safeParse(SCHEMAS[type] as v.GenericSchema<unknown, Properties<T>>, properties);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new TemplateError(
    `${logicalId} (${type}): ${v.getDotPath(issue) ?? 'its properties'}: ${issue.message}`,
  );
}
