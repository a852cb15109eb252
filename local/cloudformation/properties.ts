import * as v from 'valibot';
import { type Resource, type Template, TemplateError } from './template.ts';

const text = v.string();
const texts = v.array(text);
const count = v.pipe(v.union([v.number(), v.pipe(v.string(), v.digits())]), v.transform(Number), v.integer());
/** -1 stands for no bound. */
const bound = v.optional(v.pipe(v.number(), v.integer(), v.minValue(-1)), -1);
const failureDestination = v.optional(
  v.object({ OnFailure: v.optional(v.object({ Destination: text })) }),
  {},
);

const SCHEMAS = {
  'AWS::Lambda::Function': v.object({
    FunctionName: text,
    Handler: text,
    Runtime: v.pipe(text, v.regex(/^nodejs\d+\.x$/, 'the local stack runs Node.js alone')),
    MemorySize: count,
    Timeout: count,
    Code: v.object({ S3Key: text }),
    Environment: v.optional(v.object({ Variables: v.record(text, text) }), { Variables: {} }),
  }),
  'AWS::Lambda::EventInvokeConfig': v.object({
    FunctionName: text,
    MaximumRetryAttempts: v.optional(count, 2),
    DestinationConfig: failureDestination,
  }),
  'AWS::Lambda::EventSourceMapping': v.object({
    EventSourceArn: text,
    FunctionName: text,
    StartingPosition: v.picklist(['TRIM_HORIZON', 'LATEST']),
    BatchSize: v.optional(count, 100),
    MaximumRetryAttempts: bound,
    MaximumRecordAgeInSeconds: bound,
    BisectBatchOnFunctionError: v.optional(v.boolean(), false),
    FunctionResponseTypes: v.optional(v.array(v.literal('ReportBatchItemFailures')), []),
    FilterCriteria: v.optional(v.object({ Filters: v.array(v.object({ Pattern: text })) }), { Filters: [] }),
    DestinationConfig: failureDestination,
  }),
  'AWS::Lambda::Permission': v.object({
    FunctionName: text,
    Action: v.literal('lambda:InvokeFunction'),
    Principal: text,
    SourceArn: v.optional(text, ''),
  }),
  'AWS::ApiGatewayV2::Api': v.object({ ProtocolType: v.literal('HTTP') }),
  'AWS::ApiGatewayV2::Route': v.object({
    RouteKey: text,
    AuthorizationType: v.optional(v.picklist(['NONE', 'JWT']), 'NONE'),
    AuthorizerId: v.optional(text, ''),
    AuthorizationScopes: v.optional(texts, []),
    Target: text,
  }),
  'AWS::ApiGatewayV2::Integration': v.object({
    IntegrationType: v.literal('AWS_PROXY'),
    IntegrationUri: text,
    PayloadFormatVersion: v.literal('2.0'),
    TimeoutInMillis: v.optional(count, 30_000),
  }),
  'AWS::ApiGatewayV2::Authorizer': v.object({
    AuthorizerType: v.literal('JWT'),
    IdentitySource: v.tuple([v.literal('$request.header.Authorization')]),
    JwtConfiguration: v.object({ Audience: texts, Issuer: text }),
  }),
  'AWS::DynamoDB::Table': v.object({
    AttributeDefinitions: v.array(
      v.object({ AttributeName: text, AttributeType: v.picklist(['S', 'N', 'B']) }),
    ),
    KeySchema: v.array(v.object({ AttributeName: text, KeyType: v.picklist(['HASH', 'RANGE']) })),
    GlobalSecondaryIndexes: v.optional(
      v.array(
        v.object({
          IndexName: text,
          KeySchema: v.array(v.object({ AttributeName: text, KeyType: v.picklist(['HASH', 'RANGE']) })),
          Projection: v.object({
            ProjectionType: v.picklist(['ALL', 'KEYS_ONLY', 'INCLUDE']),
            NonKeyAttributes: v.optional(texts, []),
          }),
        }),
      ),
      [],
    ),
    StreamSpecification: v.object({
      StreamViewType: v.picklist(['NEW_AND_OLD_IMAGES', 'NEW_IMAGE', 'OLD_IMAGE', 'KEYS_ONLY']),
    }),
    TimeToLiveSpecification: v.optional(v.object({ AttributeName: text, Enabled: v.boolean() })),
  }),
  'AWS::Events::EventBus': v.object({ Name: text }),
  'AWS::Events::Rule': v.object({
    EventBusName: v.optional(text, 'default'),
    EventPattern: v.record(text, v.unknown()),
    State: v.optional(v.picklist(['ENABLED', 'DISABLED']), 'ENABLED'),
    Targets: v.array(v.object({ Arn: text, Id: text })),
  }),
  'AWS::SecretsManager::Secret': v.object({
    GenerateSecretString: v.object({ PasswordLength: count, ExcludePunctuation: v.literal(true) }),
  }),
  'AWS::SQS::Queue': v.object({ QueueName: text }),
} as const;

export type ResourceType = keyof typeof SCHEMAS;
export type Properties<T extends ResourceType> = v.InferOutput<(typeof SCHEMAS)[T]>;

export interface TypedResource<T extends ResourceType> {
  readonly logicalId: string;
  readonly properties: Properties<T>;
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
